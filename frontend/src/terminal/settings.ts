/** The terminal's settings that this browser remembers. */
const FONT_KEY = "rootblood.font-size";
const READER_KEY = "rootblood.screen-reader";

export const FONT_FAMILY = 'ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", "Noto Sans Mono", "Noto Sans Mono CJK SC", "Noto Sans Mono CJK JP", monospace';

export function fontSize(): number {
  const stored = Number(localStorage.getItem(FONT_KEY));
  return stored >= 8 && stored <= 32 ? stored : 14;
}

export function setFontSize(size: number): number {
  const bounded = Math.max(8, Math.min(32, size));
  localStorage.setItem(FONT_KEY, String(bounded));
  return bounded;
}

export function screenReader(): boolean {
  return localStorage.getItem(READER_KEY) === "on";
}

export function setScreenReader(on: boolean): void {
  localStorage.setItem(READER_KEY, on ? "on" : "off");
}

interface Tabs {
  order: string[];
  active: string;
}

const tabsKey = (workspace: string): string => `rootblood.tabs.${workspace}`;

/** The order of this workspace's tabs and which was in front. */
export function storedTabs(workspace: string): Tabs {
  try {
    const { order, active } = JSON.parse(localStorage.getItem(tabsKey(workspace)) ?? "{}") as Partial<Tabs>;
    return { order: Array.isArray(order) ? order : [], active: active ?? "" };
  } catch {
    return { order: [], active: "" };
  }
}

export function storeTabs(workspace: string, tabs: Tabs): void {
  localStorage.setItem(tabsKey(workspace), JSON.stringify(tabs));
}
