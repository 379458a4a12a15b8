/** One tab's terminal: xterm.js with its addons, its connection and its flow control. */
import { Terminal } from "@xterm/xterm";
import { Base64, ClipboardAddon } from "@xterm/addon-clipboard";
import { FitAddon } from "@xterm/addon-fit";
import { Unicode11Addon } from "@xterm/addon-unicode11";
import { WebLinksAddon } from "@xterm/addon-web-links";
import type { WebglAddon } from "@xterm/addon-webgl";
import { copyText } from "../lib/clipboard";
import { h } from "../lib/dom";
import { Connection } from "./connection";
import { Flow } from "./flow";
import { colours } from "./palettes";
import { fontSize, FONT_FAMILY, screenReader } from "./settings";

const RESET = new Uint8Array([0x18, 0x1b, 0x63]);
const REDRAW_PAUSE_MS = 60;
/** What xterm.js says by itself: that the focus came or went, and answers to programs (DA, DSR, DCS, OSC). */
const REPORT = /^\x1b(?:\[[IO]|\[[?>][\d;]*[cnRy]|\[\d+n|[P\]].+)$/s;

export interface PaneHooks {
  connected: (pane: Pane) => void;
  disconnected: (pane: Pane, opened: boolean) => void;
  titled: (pane: Pane) => void;
  copied: (characters: number) => void;
  /** Applies the sticky modifiers of the key bar. */
  typed: (text: string) => string;
}

const SOFTWARE = /swiftshader|llvmpipe|software|basic render/i;

/** Whether WebGL is drawn by a graphics chip: where the processor does it, the DOM renderer is the faster one. */
function webglIsFast(): boolean {
  const context = document.createElement("canvas").getContext("webgl2", { failIfMajorPerformanceCaveat: true });
  if (!context) return false;
  const info = context.getExtension("WEBGL_debug_renderer_info");
  const renderer = String(context.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : context.RENDERER));
  context.getExtension("WEBGL_lose_context")?.loseContext();
  return !SOFTWARE.test(renderer);
}

/** Whether the content security policy lets WebAssembly in ('wasm-unsafe-eval'), which decodes pictures. */
function mayCompile(): boolean {
  try {
    return new WebAssembly.Module(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])) instanceof WebAssembly.Module;
  } catch {
    return false;
  }
}

export class Pane {
  readonly element: HTMLElement;
  readonly terminal: Terminal;
  readonly flow: Flow;
  readonly connection: Connection;
  title = "";
  /** Whether it was ever in front: only then it has a connection. */
  shown = false;
  /** Its shell has ended and nobody asked for another. */
  ended = false;
  /** When the workspace that it talks to was started; a later one is a new set of sessions. */
  era: string | null = null;
  private readonly fitter = new FitAddon();
  private webgl: WebglAddon | null = null;

  constructor(readonly session: string, url: string, private readonly hooks: PaneHooks) {
    this.element = h("div", { class: "pane", id: `pane-${session}`, role: "tabpanel", "aria-labelledby": `tab-${session}`, hidden: true });
    this.terminal = new Terminal({
      allowProposedApi: true,
      cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
      fontFamily: FONT_FAMILY,
      fontSize: fontSize(),
      lineHeight: 1.15,
      macOptionClickForcesSelection: true,
      rescaleOverlappingGlyphs: true,
      screenReaderMode: screenReader(),
      // tmux keeps the history, and draws on the alternate screen.
      scrollback: 0,
      ...colours(),
    });
    this.flow = new Flow({ write: (data, done) => this.terminal.write(data, done), redraw: () => this.redraw() });
    this.connection = new Connection(url, {
      // RIS goes through the parser, behind what it still holds of the last connection; CAN ends a cut sequence.
      ready: () => { this.flow.push(RESET); hooks.connected(this); },
      output: (data) => this.flow.push(data),
      closed: (opened) => { this.flow.clear(); hooks.disconnected(this, opened); },
    });
    this.wire();
  }

  private wire(): void {
    const { terminal, hooks } = this;
    terminal.loadAddon(this.fitter);
    terminal.loadAddon(new Unicode11Addon());
    terminal.unicode.activeVersion = "11";
    terminal.loadAddon(new WebLinksAddon());
    // Programs may write the clipboard (OSC 52) and never read it.
    terminal.loadAddon(new ClipboardAddon(new Base64(), {
      readText: () => "",
      writeText: async (_selection, text) => { if (text && (await copyText(text))) hooks.copied(text.length); },
    }));
    terminal.onData((data) => this.type(REPORT.test(data) ? data : hooks.typed(data)));
    terminal.onBinary((data) => this.connection.typeBinary(data));
    terminal.onResize((size) => this.connection.resize(size));
    terminal.onTitleChange((title) => { this.title = title; hooks.titled(this); });
  }

  /** Send text as if it were typed. */
  type(text: string): void {
    this.connection.type(text);
    if (text === "\x03") this.flow.interrupt();
  }

  /** Put it in front, opening terminal and connection on the first time. */
  show(): void {
    this.element.hidden = false;
    if (!this.shown) {
      this.shown = true;
      this.terminal.open(this.element);
      this.terminal.textarea?.setAttribute("aria-label", `Terminal ${this.session}`);
      void this.draw();
    }
    this.fit();
    this.terminal.focus();
  }

  hide(): void {
    this.element.hidden = true;
  }

  connect(): void {
    this.fit();
    this.connection.open(() => ({ cols: this.terminal.cols, rows: this.terminal.rows }));
  }

  fit(): void {
    if (!this.element.hidden && this.shown) this.fitter.fit();
  }

  /** Take up changed settings. */
  restyle(): void {
    Object.assign(this.terminal.options, { fontSize: fontSize(), screenReaderMode: screenReader(), ...colours() });
    this.fit();
  }

  /** Make tmux draw all of it: a change of size is what it redraws for. */
  redraw(): void {
    const { cols, rows } = this.terminal;
    this.connection.resize({ cols, rows: Math.max(2, rows - 1) });
    setTimeout(() => this.connection.resize({ cols: this.terminal.cols, rows: this.terminal.rows }), REDRAW_PAUSE_MS);
  }

  /** What is on the screen as text. */
  text(): string {
    const buffer = this.terminal.buffer.active;
    const lines: string[] = [];
    for (let row = 0; row < this.terminal.rows; row += 1) {
      const line = buffer.getLine(buffer.viewportY + row);
      const text = line?.translateToString(true) ?? "";
      if (line?.isWrapped && lines.length) lines[lines.length - 1] += text;
      else lines.push(text);
    }
    return lines.join("\n").trimEnd();
  }

  dispose(): void {
    this.connection.close();
    this.flow.clear();
    this.webgl?.dispose();
    this.terminal.dispose();
    this.element.remove();
  }

  /** The heavier addons come after the first paint; each is optional. */
  private async draw(): Promise<void> {
    try {
      if (webglIsFast()) {
        const { WebglAddon } = await import("@xterm/addon-webgl");
        const webgl = new WebglAddon();
        webgl.onContextLoss(() => { webgl.dispose(); this.webgl = null; });
        this.terminal.loadAddon(webgl);
        this.webgl = webgl;
      }
    } catch {
      this.webgl = null;
    }
    if (!mayCompile()) return;
    const { ImageAddon } = await import("@xterm/addon-image");
    this.terminal.loadAddon(new ImageAddon({ storageLimit: 32 }));
  }
}
