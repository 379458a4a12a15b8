/** The ports of a workspace: their JSON, and the connection that tells of them. */
import { request } from "../../lib/api";
import type { Audience } from "../../lib/types";
import { Retry } from "../../terminal/retry";

export interface Guest {
  /** Null: a stranger. */
  username: string | null;
  /** Of a stranger; "" stands for several. */
  address: string | null;
  since: string;
}

export interface Port {
  port: number;
  /** Null: nobody can tell for the moment. */
  listening: boolean | null;
  address: string | null;
  command: string | null;
  share: Audience;
  expires: string | null;
  url: string;
  /** On this server; leads to it. */
  path: string;
  guests: Guest[];
}

export interface Listing {
  ports: Port[];
  /** False while the server cannot look into the workspace. */
  known: boolean;
}

export class PortsApi {
  private readonly base: string;

  constructor(workspace: string) {
    this.base = `/api/v1/workspaces/${encodeURIComponent(workspace)}/ports`;
  }

  get watchUrl(): string {
    return `${location.origin.replace(/^http/, "ws")}${this.base}/watch`;
  }

  list(): Promise<Listing> {
    return request<Listing>("GET", this.base);
  }

  share(port: number, share: Audience, expires: string | null): Promise<Port> {
    return request<Port>("PUT", `${this.base}/${port}`, { share, expires });
  }
}

/** Follows the ports while the workspace runs and somebody can see the page. */
export class PortsWatch {
  private socket: WebSocket | null = null;
  private running = false;
  private readonly retry = new Retry(() => this.connect(), () => undefined);

  constructor(private readonly url: string, private readonly take: (listing: Listing) => void) {
    document.addEventListener("visibilitychange", () => this.settle());
  }

  setRunning(running: boolean): void {
    this.running = running;
    this.settle();
  }

  private get wanted(): boolean {
    return this.running && document.visibilityState === "visible";
  }

  private settle(): void {
    if (this.wanted) return this.connect();
    this.retry.cancel();
    // One that is still opening is closed when it has: browsers complain otherwise.
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.close();
  }

  private connect(): void {
    if (!this.wanted || this.socket) return;
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.addEventListener("open", () => {
      if (!this.wanted) socket.close();
    });
    socket.addEventListener("message", (event: MessageEvent<string>) => {
      const message = JSON.parse(event.data) as Partial<Listing>;
      if (!message.ports) return;  // it is refused, and closed with that
      this.retry.succeed();
      this.take({ ports: message.ports, known: message.known ?? true });
    });
    socket.addEventListener("close", () => {
      if (this.socket !== socket) return;
      this.socket = null;
      if (this.wanted) this.retry.plan();
    });
  }
}
