/** ANSI colours for both themes. Each text colour has a contrast of 4.5 or more against its background. */
import type { ITheme } from "@xterm/xterm";
import { shownTheme } from "../lib/theme-choice";

const dark: ITheme = {
  background: "#10141b", foreground: "#dbe1ea", cursor: "#8fa6ff", cursorAccent: "#10141b",
  selectionBackground: "#3a4c78", selectionInactiveBackground: "#2c3851",
  black: "#5f6b7d", red: "#ff7b85", green: "#63d474", yellow: "#e9bd5b", blue: "#83a1ff", magenta: "#d694f2", cyan: "#56cfd6", white: "#ccd4df",
  brightBlack: "#8792a4", brightRed: "#ff9aa2", brightGreen: "#8be89a", brightYellow: "#f6d284", brightBlue: "#a6bcff", brightMagenta: "#e6b3fb", brightCyan: "#86e3e8", brightWhite: "#ffffff",
};

const light: ITheme = {
  background: "#fbfcfe", foreground: "#1f2630", cursor: "#3b5bdb", cursorAccent: "#ffffff",
  selectionBackground: "#c3d0f7", selectionInactiveBackground: "#dde3f3",
  black: "#1f2630", red: "#b8203a", green: "#1b7432", yellow: "#8a5a00", blue: "#2f4fc4", magenta: "#8e2fa8", cyan: "#0b6e7d", white: "#5b6573",
  brightBlack: "#626d7c", brightRed: "#c9263f", brightGreen: "#1e7d38", brightYellow: "#946200", brightBlue: "#3b5bdb", brightMagenta: "#9c3bb7", brightCyan: "#0d7686", brightWhite: "#3a4350",
};

/** The colours for the theme that is on screen, and how hard to correct the colours that programs choose themselves. */
export function colours(): { theme: ITheme; minimumContrastRatio: number } {
  return shownTheme() === "dark" ? { theme: dark, minimumContrastRatio: 3 } : { theme: light, minimumContrastRatio: 4.5 };
}
