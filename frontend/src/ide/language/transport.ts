/** A WebSocket to one language server: each text frame is one message of JSON-RPC. */
import type { Transport } from "@codemirror/lsp-client";
import { uriOf } from "./protocol";
import { nameOf } from "../paths";

interface Rpc {
  id?: number | string;
  method?: string;
  params?: object;
}

interface Problem {
  title?: string;
  detail?: string;
}

export interface TransportHooks {
  opened: () => void;
  closed: () => void;
  /** The other side says what is wrong with a message of ours. */
  problem: (text: string) => void;
}

export class SocketTransport implements Transport {
  private readonly socket: WebSocket;
  private readonly handlers = new Set<(value: string) => void>();
  /** Requests without an answer. */
  private readonly asked = new Map<number | string, string>();

  /** `root`: the folder of the project. */
  constructor(url: string, private readonly root: string, hooks: TransportHooks) {
    this.socket = new WebSocket(url);
    this.socket.addEventListener("open", () => hooks.opened());
    this.socket.addEventListener("message", (event: MessageEvent<string>) => {
      const message = parsed(event.data);
      if (!message) return;
      if (message.problem) return hooks.problem(message.problem.detail || message.problem.title || "");
      if (message.id !== undefined && !message.method) this.asked.delete(message.id);
      this.deliver(event.data);
    });
    this.socket.addEventListener("close", () => {
      this.giveUp();
      hooks.closed();
    });
  }

  get open(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  /** What is sent when nobody listens any more is lost. */
  send(message: string): void {
    if (!this.open) return;
    const said = JSON.parse(message) as Rpc;
    const { id, method } = said;
    if (id !== undefined && method) this.asked.set(id, method);
    this.socket.send(method === "initialize" ? JSON.stringify(this.withFolders(said)) : message);
  }

  subscribe(handler: (value: string) => void): void {
    this.handlers.add(handler);
  }

  unsubscribe(handler: (value: string) => void): void {
    this.handlers.delete(handler);
  }

  close(): void {
    this.socket.close();
  }

  /** The client names the root alone, by a field that pyright does not read: without folders it knows open files only. */
  private withFolders(said: Rpc): Rpc {
    return { ...said, params: { ...said.params, rootPath: this.root, workspaceFolders: [{ uri: uriOf(this.root), name: nameOf(this.root) }] } };
  }

  /** Answer with nothing what will have no answer: the client would wait for it, and complain. */
  private giveUp(): void {
    for (const [id, method] of this.asked) this.deliver(JSON.stringify({ jsonrpc: "2.0", id, result: method === "initialize" ? { capabilities: {} } : null }));
    this.asked.clear();
  }

  private deliver(message: string): void {
    for (const handler of this.handlers) {
      try {
        handler(message);
      } catch {
        // It is no message of the protocol: a server may say what it likes, and any program may be one.
      }
    }
  }
}

/** Null: no object of JSON. */
function parsed(text: string): (Rpc & { problem?: Problem }) | null {
  try {
    const value: unknown = JSON.parse(text);
    return value && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
