/** One language server of the page: started when a file of it opens, ended when none is left. */
import { findReferencesKeymap, formatKeymap, hoverTooltips, jumpToDefinition, jumpToDefinitionKeymap, LSPClient, serverCompletion, serverDiagnostics, signatureHelp } from "@codemirror/lsp-client";
import { EditorSelection, Prec, type Extension } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import DOMPurify from "dompurify";
import { toast } from "../../lib/toast";
import { clearDiagnostics, takeDiagnostics, type Problems } from "./diagnostics";
import { uriOf, type Diagnostic } from "./protocol";
import { findReferences, type ShowMatches } from "./references";
import { renameSymbol } from "./rename";
import { nestedSymbols, symbolsOf } from "./symbols";
import { SocketTransport } from "./transport";
import { OpenFiles } from "./workspace";
import { within } from "../paths";
import type { FileSymbol } from "../editor/file-symbol";
import type { Change, Workbench } from "../workbench";

/** What a workspace has for a language. */
export interface Language {
  id: string;
  title: string;
  /** Such as ".py". */
  extensions: string[];
  /** The program and its arguments. */
  command: string[];
}

export type ServerState = "starting" | "ready" | "ended" | "refused";

/** A server with no open file is ended after this time. */
const IDLE_MS = 60_000;
/** A large project is read first. */
const ANSWER_MS = 60_000;

const TAGS = "a b blockquote br code del em h1 h2 h3 h4 h5 h6 hr i li ol p pre span strong table tbody td th thead tr ul".split(" ");
const purify = DOMPurify(window);
purify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName !== "A") return;
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer");
});

/** What is written in a workspace's files comes back from its server as Markdown, that is as HTML. */
function sanitize(html: string): string {
  return purify.sanitize(html, { ALLOWED_TAGS: TAGS, ALLOWED_ATTR: ["class", "href"], ALLOW_DATA_ATTR: false, ALLOW_ARIA_ATTR: false, ALLOWED_URI_REGEXP: /^https?:/i });
}

export interface ServerHooks {
  changed: () => void;
  counted: (path: string, problems: Problems) => void;
  showMatches: ShowMatches;
}

class Client extends LSPClient {
  alive = (): boolean => false;

  /** Nothing is the answer of a server that is gone, and to questions that nobody waits for. */
  override async request<Params, Result>(method: string, params: Params): Promise<Result> {
    if (!this.alive()) return null as Result;
    try {
      return await super.request<Params, Result>(method, params);
    } catch (error) {
      if (["textDocument/completion", "textDocument/hover", "textDocument/signatureHelp"].includes(method)) return null as Result;
      throw error;
    }
  }
}

export class Server {
  state: ServerState = "ended";
  /** Why it ended, where that was told. */
  why = "";
  private readonly client: Client;
  private readonly files: OpenFiles;
  private transport: SocketTransport | null = null;
  private timer = 0;
  private wanted = false;
  private opened = false;

  constructor(readonly language: Language, readonly root: string, private readonly workbench: Workbench, private readonly hooks: ServerHooks) {
    this.client = new Client({
      rootUri: uriOf(root), timeout: ANSWER_MS, sanitizeHTML: sanitize,
      workspace: (client) => new OpenFiles(client, {
        alive: () => this.alive,
        display: (path) => workbench.open(path, { preview: true }),
        changed: (files) => this.idle(files === 0),
      }),
      notificationHandlers: {
        "textDocument/publishDiagnostics": (client, params: { uri: string; version?: number; diagnostics: Diagnostic[] }) => takeDiagnostics(client, params, this.hooks.counted),
        // A log is for those who write the server, and a page of the browser is no place for it.
        "window/logMessage": () => true,
      },
      extensions: [serverDiagnostics(), serverCompletion(), hoverTooltips(), signatureHelp(), nestedSymbols],
    });
    this.client.alive = () => this.alive;
    this.files = this.client.workspace as OpenFiles;
  }

  get alive(): boolean {
    return this.transport?.open ?? false;
  }

  get used(): boolean {
    return this.files.files.length > 0;
  }

  /** Start it unless it runs. */
  start(): void {
    this.wanted = true;
    if (this.transport) return;
    const { workspace } = this.workbench;
    const query = new URLSearchParams({ id: this.language.id, root: this.root });
    const url = `${location.origin.replace(/^http/, "ws")}/api/v1/workspaces/${encodeURIComponent(workspace)}/language?${query}`;
    this.why = "";
    this.opened = false;
    const transport = new SocketTransport(url, this.root, {
      opened: () => {
        this.opened = true;
        this.client.connect(transport);
        void this.client.initializing.then(() => { if (this.transport === transport && transport.open) this.set("ready"); });
      },
      closed: () => { if (this.transport === transport) this.over(this.state !== "starting"); },
      problem: (text) => { this.why = text; },
    });
    this.transport = transport;
    this.set("starting");
    this.idle(!this.used);
  }

  /** End it until it is started again. */
  stop(): void {
    this.wanted = false;
    this.transport?.close();
  }

  restart(): void {
    if (!this.transport) return this.start();
    this.wanted = true;
    const { transport } = this;
    this.over(true);
    transport.close();
    this.start();
  }

  /** Tell it of files that changed outside of the editors. */
  tell(changes: Change[]): void {
    const mine = changes.filter(({ path }) => within(path, this.root));
    if (this.state === "ready" && mine.length) this.client.notification("workspace/didChangeWatchedFiles", { changes: mine.map(({ path, kind }) => ({ uri: uriOf(path), type: FILE_CHANGES[kind] })) });
  }

  /** What a file declares; null where it cannot tell. Raises: Error. */
  symbols(path: string): Promise<FileSymbol[] | null> {
    return this.state === "ready" ? symbolsOf(this.client, uriOf(path)) : Promise.resolve(null);
  }

  /** What an editor of a file gets from it. */
  extension(path: string): Extension {
    return [
      this.client.plugin(uriOf(path), languageId(path, this.language)),
      Prec.high(keymap.of([
        { key: "F2", run: (view) => renameSymbol(this.workbench, view), preventDefault: true },
        { key: "Shift-F12", run: (view) => findReferences(this.workbench, this.hooks.showMatches, view), preventDefault: true },
        ...jumpToDefinitionKeymap, ...formatKeymap, ...findReferencesKeymap.filter(({ key }) => key === "Escape"),
      ])),
      // As in VS Code; more cursors are made with Alt.
      Prec.high(EditorView.domEventHandlers({
        mousedown(event, view) {
          if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey || event.button !== 0) return false;
          const at = view.posAtCoords({ x: event.clientX, y: event.clientY });
          if (at === null) return false;
          view.dispatch({ selection: EditorSelection.cursor(at) });
          return jumpToDefinition(view);
        },
      })),
    ];
  }

  /** `begun`: it had answered before. */
  private over(begun: boolean): void {
    this.transport = null;
    // What it is still asked is answered with nothing first: see SocketTransport.
    queueMicrotask(() => { if (!this.transport) this.client.disconnect(); });
    clearDiagnostics(this.files);
    for (const file of this.files.files) this.hooks.counted(decodeURIComponent(new URL(file.uri).pathname), { errors: 0, warnings: 0 });
    const refused = !begun && this.wanted;
    if (refused) this.tellWhy();
    this.set(refused ? "refused" : "ended");
  }

  private tellWhy(): void {
    const program = this.language.command[0] ?? "";
    this.why ||= this.opened ? `“${program}” ended at once: this workspace may lack it. Try it in a terminal.` : "The connection to it failed.";
    toast(`The language server of ${this.language.title} did not start`, { kind: "warn", text: this.why, seconds: 8 });
  }

  private idle(on: boolean): void {
    clearTimeout(this.timer);
    if (on) this.timer = window.setTimeout(() => this.stop(), IDLE_MS);
    else this.start();
  }

  private set(state: ServerState): void {
    this.state = state;
    this.hooks.changed();
  }
}

/** FileChangeType of the protocol; what was moved is at its place since. */
const FILE_CHANGES: Record<Change["kind"], number> = { created: 1, moved: 1, changed: 2, removed: 3 };

const IDS: Record<string, string> = { ts: "typescript", mts: "typescript", cts: "typescript", tsx: "typescriptreact", js: "javascript", mjs: "javascript", cjs: "javascript", jsx: "javascriptreact", py: "python", pyi: "python" };

function languageId(path: string, language: Language): string {
  return IDS[path.slice(path.lastIndexOf(".") + 1).toLowerCase()] ?? language.id;
}
