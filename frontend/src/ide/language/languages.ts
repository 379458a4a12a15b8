/** Language servers: which file has which, and what the page says about them. */
import type { Extension } from "@codemirror/state";
import { request } from "../../lib/api";
import type { Problems } from "./diagnostics";
import type { ShowMatches } from "./references";
import type { Language, Server } from "./server";
import type { GitStore } from "../git/store";
import { extensionOf, within } from "../paths";
import type { Workbench } from "../workbench";

/** A name with a byte that is no UTF-8 has no URI. */
const NO_UTF8 = /[\u{10ff00}-\u{10ffff}]/u;

const WORDS = {
  starting: { text: "server starts …", title: "Its language server reads your files" },
  ready: { text: "server", title: "Its language server helps: F12 goes to a definition, F2 renames, Shift+F12 finds uses" },
  ended: { text: "server ended", title: "Its language server has ended. Click to start it again" },
  refused: { text: "server did not start", title: "Click to try again" },
};

export class Languages {
  private languages: Promise<Language[]> | null = null;
  private readonly servers = new Map<string, Server>();
  private readonly byFile = new Map<string, Server>();
  private readonly problems = new Map<string, Problems>();
  private running = false;
  /** Editors that opened while the workspace did not run. */
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly workbench: Workbench, private readonly git: GitStore, private readonly showMatches: ShowMatches) {
    workbench.extendEditors(async (path) => (NO_UTF8.test(path) ? null : (await import("./slot")).slot(() => this.supply(path))));
    workbench.symbolsFrom(async (path) => (await this.byFile.get(path)?.symbols(path)) ?? null);
    workbench.onActive(() => this.draw());
    workbench.onFiles((changes) => { for (const server of this.servers.values()) server.tell(changes ?? []); });
    workbench.onRunning((running) => {
      if (!running || this.running) return void (this.running = running);
      this.running = true;
      this.languages = null;
      for (const go of this.waiting.splice(0)) go();
      for (const server of this.servers.values()) if (server.used) server.start();
    });
    const active = (): Server | null => this.byFile.get(workbench.activeFile() ?? "") ?? null;
    workbench.command({ id: "language.restart", title: "Start the language server again", icon: "rotate-cw", group: "Language", words: "lsp restart", when: () => active() !== null, run: () => active()?.restart() });
  }

  private async supply(path: string): Promise<Extension | null> {
    if (!this.running) await new Promise<void>((resolve) => this.waiting.push(resolve));
    const language = (await this.list()).find(({ extensions }) => extensions.some((one) => one.replace(/^\./, "") === extensionOf(path)));
    if (!language) return null;
    const { Server } = await import("./server");
    const root = await this.rootOf(path, language);
    if (root === null) return null;
    const key = `${language.id} ${root}`;
    const server = this.servers.get(key) ?? new Server(language, root, this.workbench, { changed: () => this.draw(), counted: (file, problems) => this.count(file, problems), showMatches: this.showMatches });
    this.servers.set(key, server);
    this.byFile.set(path, server);
    server.start();
    return server.extension(path);
  }

  private list(): Promise<Language[]> {
    this.languages ??= request<{ languages: Language[] }>("GET", `/api/v1/workspaces/${encodeURIComponent(this.workbench.workspace)}/languages`).then(({ languages }) => languages, () => {
      this.languages = null;
      return [];
    });
    return this.languages;
  }

  /** The project of a file: its repository, or the folder of the home it lies in; null for what is no project's. */
  private async rootOf(path: string, language: Language): Promise<string | null> {
    const { home } = this.workbench;
    const repository = await this.git.find(path).catch(() => null);
    if (repository) return repository.root;
    if (within(path, home)) {
      const [first, ...rest] = path.slice(home.length + 1).split("/");
      return rest.length ? `${home}/${first}` : home;
    }
    // A library that a definition led to: the server that knows it.
    return [...this.servers.values()].findLast((server) => server.language.id === language.id && server.alive)?.root ?? null;
  }

  private count(path: string, problems: Problems): void {
    this.problems.set(path, problems);
    this.draw();
  }

  private draw(): void {
    const path = this.workbench.activeFile() ?? "";
    const found = this.byFile.get(path);
    if (!found) {
      this.workbench.status("server", "");
      return this.workbench.status("problems", "");
    }
    const { title } = found.language;
    const words = WORDS[found.state];
    const again = found.state === "ended" || found.state === "refused";
    this.workbench.status("server", `${title} ${words.text}`, [found.why, words.title].filter(Boolean).join(" "), again ? () => found.restart() : undefined);
    const { errors, warnings } = this.problems.get(path) ?? { errors: 0, warnings: 0 };
    const say = (n: number, one: string): string => (n ? `${n} ${one}${n === 1 ? "" : "s"}` : "");
    const told = [say(errors, "error"), say(warnings, "warning")].filter(Boolean).join(", ");
    this.workbench.status("problems", found.state === "ready" ? told || "No problems" : "", "F8 goes to the next problem", told ? () => void this.nextProblem(path) : undefined);
  }

  private async nextProblem(path: string): Promise<void> {
    const [view, { nextDiagnostic }] = await Promise.all([this.workbench.open(path), import("@codemirror/lint")]);
    if (!view) return;
    nextDiagnostic(view);
    view.focus();
  }
}
