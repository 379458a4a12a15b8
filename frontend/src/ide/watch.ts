/** The connection that tells which files change in the workspace. */
import { Retry } from "../terminal/retry";
import type { Change } from "./workbench";

interface Message {
  changed?: Change[];
  git?: boolean;
  /** What was asked for last is watched from here on. */
  watching?: number;
  /** Changes were missed: anything may be different. */
  lost?: boolean;
  /** It was refused, or something that was asked for was. */
  problem?: { title?: string; detail?: string };
}

interface Wanted {
  watch: string[];
  files: string[];
}

export interface WatchHooks {
  /** Null: anything may have changed. */
  files: (changes: Change[] | null) => void;
  git: () => void;
  /** Why changes are not seen; "" when they are. */
  problem: (text: string) => void;
  /** These are watched from here on: what was read of them before may be old. */
  settled: (folders: string[], files: string[]) => void;
}

const MOST = 500;
const SETTLE_MS = 10;
const TYPED_MS = 60_000;

export class Watch {
  private socket: WebSocket | null = null;
  private wanted: Wanted = { watch: [], files: [] };
  /** In the order they were sent; each is answered by one `watching`. */
  private asked: Wanted[] = [];
  private settled: Wanted = { watch: [], files: [] };
  private timer = 0;
  private running = false;
  private typedAt = 0;
  /** Nothing was heard on the connection yet: one that is refused opens, too, and says why. */
  private fresh = true;
  private watchedBefore = false;
  private readonly retry = new Retry(() => this.connect(), () => undefined);

  constructor(private readonly url: string, private readonly hooks: WatchHooks) {}

  /** Follow the workspace: there is nothing to watch in one that does not run. */
  setRunning(running: boolean): void {
    if (running === this.running) return;
    this.running = running;
    if (running) return this.connect();
    this.retry.cancel();
    // One that is still opening is closed when it has: browsers complain otherwise.
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.close();
  }

  /** Watch these folders and files, and no others; those beyond what can be watched are left out. */
  set(folders: string[], files: string[]): void {
    this.wanted = { watch: [...new Set(folders)].slice(0, MOST), files: [...new Set(files)].slice(0, MOST) };
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.send(), SETTLE_MS);
  }

  /** Somebody types in an editor: tell it now and then, or the workspace would count as idle. */
  typed(): void {
    const now = Date.now();
    if (now - this.typedAt < TYPED_MS || this.socket?.readyState !== WebSocket.OPEN) return;
    this.typedAt = now;
    this.socket.send(JSON.stringify({ typed: true }));
  }

  private connect(): void {
    if (!this.running || this.socket) return;
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.addEventListener("open", () => {
      if (!this.running) return socket.close();
      this.asked = [];
      this.settled = { watch: [], files: [] };
      this.fresh = true;
      this.send();
    });
    socket.addEventListener("message", (event: MessageEvent<string>) => {
      const message = JSON.parse(event.data) as Message;
      if (message.problem) this.hooks.problem(message.problem.detail || message.problem.title || "");
      if (message.lost) { this.hooks.files(null); this.hooks.git(); }
      if (message.changed?.length) this.hooks.files(message.changed);
      if (message.git) this.hooks.git();
      if (message.watching !== undefined) this.settle();
    });
    socket.addEventListener("close", () => {
      if (this.socket !== socket) return;
      this.socket = null;
      if (this.running) this.retry.plan();
    });
  }

  private begin(): void {
    this.fresh = false;
    this.retry.succeed();
    // What happened while nobody watched is not known.
    if (this.watchedBefore) { this.hooks.files(null); this.hooks.git(); }
    this.watchedBefore = true;
  }

  private send(): void {
    const last = this.asked.at(-1) ?? this.settled;
    if (this.socket?.readyState !== WebSocket.OPEN || JSON.stringify(this.wanted) === JSON.stringify(last)) return;
    this.asked.push(this.wanted);
    this.socket.send(JSON.stringify(this.wanted));
  }

  private settle(): void {
    const now = this.asked.shift();
    if (!now) return;
    this.hooks.problem("");
    if (this.fresh) this.begin();
    const before = this.settled;
    this.settled = now;
    this.hooks.settled(now.watch.filter((path) => !before.watch.includes(path)), now.files.filter((path) => !before.files.includes(path)));
  }
}
