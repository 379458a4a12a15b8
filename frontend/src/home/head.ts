/** The state of the home: open or locked, for whose eyes, and who else could open it. */
import { explainFully, homeApi } from "../lib/api";
import { button, h, icon, setText } from "../lib/dom";
import { ago, instant } from "../lib/format";
import { toast } from "../lib/toast";
import type { Home } from "../lib/types";
import { askForPassword, withUnlock } from "../lib/unlock";
import type { Store } from "./store";

export class Head {
  readonly element = h("section", { class: "card state", "aria-labelledby": "state-title" });
  private shape = "";
  private readonly text = h("p", { class: "muted" });

  constructor(private readonly store: Store) {}

  update(): void {
    const { home } = this.store;
    const shape = [home.encrypted, home.locked, home.key_at_hand, home.recovery, home.escrow, home.backup, home.capped].join();
    if (shape !== this.shape) this.rebuild(home, shape);
    setText(this.text, sentence(home));
    this.text.title = home.unlocked_until ? instant(home.unlocked_until) : "";
  }

  private rebuild(home: Home, shape: string): void {
    const focused = this.element.contains(document.activeElement);
    this.shape = shape;
    const act = !home.encrypted ? null : home.locked
      ? button("Unlock", "lock-open", "primary", (event) => void this.change(event, () => unlock(home)))
      : button("Lock now", "lock", "", (event) => void this.change(event, homeApi.lock));
    this.element.replaceChildren(
      h("div", { class: "top" },
        h("span", { class: `emblem ${home.locked ? "locked" : home.encrypted ? "open" : "bare"}` }, icon(home.locked ? "lock" : home.encrypted ? "lock-open" : "hard-drive")),
        h("div", { class: "grow" }, h("h2", { id: "state-title" }, home.locked ? "Locked" : home.encrypted ? "Unlocked" : "Open"), this.text),
        act),
      h("ul", { class: "facts" }, ...facts(home)));
    if (focused) act?.focus();
  }

  private async change(event: Event, act: () => Promise<Home | null>): Promise<void> {
    const trigger = event.currentTarget as HTMLButtonElement;
    trigger.disabled = true;
    try {
      const home = await act();
      if (home) this.store.takeHome(home);
    } catch (error) {
      toast(this.store.home.locked ? "Your home stays locked" : "Your home could not be locked", { kind: "error", text: explainFully(error) });
    }
    trigger.disabled = false;
  }
}

/** Open the home, with the password where this sign-in does not do. */
export function unlock(home: Home): Promise<Home | null> {
  return home.key_at_hand ? withUnlock(() => homeApi.unlock()) : askForPassword();
}

function sentence(home: Home): string {
  if (!home.encrypted) return "Files are kept as they are on the server's disk.";
  if (home.locked) return home.key_at_hand ? "It opens by itself when you need it." : "Nobody can read it, and workspaces wait for your password.";
  return home.unlocked_until && Date.parse(home.unlocked_until) > Date.now() ? `Stays open for you; it locks ${ago(home.unlocked_until)}.` : "It locks by itself when nothing uses it.";
}

function facts(home: Home): HTMLElement[] {
  const fact = (name: string, kind: string, ...words: (string | Node)[]): HTMLElement => h("li", { class: kind }, icon(name), h("span", {}, ...words));
  const account = (text: string): HTMLElement => h("a", { class: "link", href: "/account" }, text);
  return [
    home.encrypted ? fact("shield-check", "good", "Encrypted for you") : fact("shield-off", "", "Not encrypted: whoever runs the server can read it"),
    ...(home.encrypted ? [home.recovery ? fact("life-buoy", "good", "A recovery code opens it too") : fact("life-buoy", "warn", "No recovery code. Without your password all would be lost: ", account("make one"))] : []),
    ...(home.escrow ? [fact("key-round", "", "The operator of this server holds a key for emergencies")] : []),
    home.backup ? fact("cloud", "good", "Snapshots are kept on another machine") : fact("cloud-off", "", "Snapshots are kept on this server alone"),
    ...(home.capped ? [] : [fact("hard-drive", "", "Its size is told, not enforced")]),
  ];
}
