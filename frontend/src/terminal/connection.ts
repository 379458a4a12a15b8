/** One WebSocket to one tmux session. It does not reconnect by itself: the page decides when. */
import { binaryInput, hello, input, output, resize, type Size } from "./protocol";

const BUFFER_CHARACTERS = 4096;
/** A shell that says nothing at first must still get what was typed. */
const SILENT_MS = 1200;

export interface Hooks {
  /** The program answers: the first bytes of a connection follow. */
  ready: () => void;
  output: (data: Uint8Array) => void;
  /** opened: whether the handshake had succeeded. */
  closed: (opened: boolean) => void;
}

export class Connection {
  private socket: WebSocket | null = null;
  private ready = false;
  private pending: { data: Uint8Array<ArrayBuffer>; length: number }[] = [];
  private pendingLength = 0;
  private silence = 0;

  constructor(private readonly url: string, private readonly hooks: Hooks) {}

  get state(): "closed" | "connecting" | "open" {
    if (!this.socket) return "closed";
    return this.socket.readyState === WebSocket.OPEN ? "open" : "connecting";
  }

  /** Open the connection unless it is open or opening. */
  open(size: () => Size): void {
    if (this.socket) return;
    const socket = new WebSocket(this.url, ["tty"]);
    socket.binaryType = "arraybuffer";
    let opened = false;
    this.socket = socket;
    this.ready = false;
    socket.addEventListener("open", () => {
      opened = true;
      socket.send(hello(size()));
      this.silence = window.setTimeout(() => this.flush(), SILENT_MS);
    });
    socket.addEventListener("message", (event: MessageEvent<ArrayBuffer>) => {
      const data = output(event.data);
      if (!data) return;
      if (!this.ready) {
        this.hooks.ready();
        this.flush();
      }
      this.hooks.output(data);
    });
    socket.addEventListener("close", () => {
      if (this.socket !== socket) return;
      this.forget();
      this.hooks.closed(opened);
    });
  }

  /** Send what was typed, or keep it (up to 4 KB) until the connection is ready. */
  type(text: string): void {
    this.send(input(text), text.length);
  }

  typeBinary(text: string): void {
    this.send(binaryInput(text), text.length);
  }

  resize(size: Size): void {
    if (this.state === "open") this.socket?.send(resize(size));
  }

  /** Close for good; `closed` is not called. */
  close(): void {
    const socket = this.socket;
    this.forget();
    this.pending = [];
    this.pendingLength = 0;
    socket?.close();
  }

  private send(data: Uint8Array<ArrayBuffer>, length: number): void {
    if (this.ready && this.state === "open") this.socket?.send(data);
    else if (this.pendingLength + length <= BUFFER_CHARACTERS) {
      this.pending.push({ data, length });
      this.pendingLength += length;
    }
  }

  private flush(): void {
    clearTimeout(this.silence);
    this.ready = true;
    for (const { data } of this.pending) this.socket?.send(data);
    this.pending = [];
    this.pendingLength = 0;
  }

  private forget(): void {
    clearTimeout(this.silence);
    this.socket = null;
    this.ready = false;
  }
}
