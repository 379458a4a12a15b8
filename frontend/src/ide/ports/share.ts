/** The dialog in which a port is shared. */
import { copyText } from "../../lib/clipboard";
import { openDialog } from "../../lib/dialog";
import { h, icon } from "../../lib/dom";
import { instant } from "../../lib/format";
import { toast } from "../../lib/toast";
import type { Audience } from "../../lib/types";
import type { Port, PortsApi } from "./api";

export const AUDIENCES: Record<Audience, { icon: string; label: string; text: string }> = {
  private: { icon: "lock", label: "Private", text: "You alone, signed in." },
  users: { icon: "users", label: "Signed-in users", text: "Whoever has an account on this server and the address." },
  public: { icon: "globe", label: "Public", text: "Everybody who has the address, without signing in." },
};

const SPANS: [string, number][] = [["1 hour", 3600], ["8 hours", 8 * 3600], ["1 day", 86_400], ["1 week", 7 * 86_400]];

/** Ask whom to share a port with, and until when. */
export function shareDialog(api: PortsApi, port: Port, done: (port: Port) => void): void {
  const audience = (Object.keys(AUDIENCES) as Audience[]).map((value) => {
    const { icon: name, label, text } = AUDIENCES[value];
    const input = h("input", { type: "radio", name: "share", value, checked: value === port.share });
    return { value, input, element: h("label", { class: "share-choice" }, input, icon(name), h("span", {}, h("b", {}, label), h("span", { class: "small muted" }, text))) };
  });
  const until = h("select", { class: "input", id: "share-until" },
    port.expires ? h("option", { value: port.expires }, `${instant(port.expires)} (as it is)`) : null,
    h("option", { value: "" }, "Until you make it private"),
    ...SPANS.map(([label, seconds]) => h("option", { value: String(seconds) }, `For ${label}`)));
  const ends = h("div", { class: "field" }, h("label", { for: "share-until" }, "How long"), until, h("p", { class: "hint" }, "It ends in any case when the workspace is deleted. Making it narrower cuts others off at once."));
  const chosen = (): Audience => audience.find(({ input }) => input.checked)?.value ?? "private";
  const choices = h("div", { class: "share-choices", role: "radiogroup", "aria-label": "Who may open it" }, ...audience.map(({ element }) => element));
  const show = (): void => { ends.hidden = chosen() === "private"; };
  choices.addEventListener("change", show);
  show();
  const copied = h("button", { type: "button", class: "button tiny" }, icon("copy"), "Copy");
  copied.addEventListener("click", () => void copyText(port.url).then((yes) => toast(yes ? "The address is copied" : "The browser did not allow copying", { kind: yes ? "ok" : "error" })));
  openDialog({
    title: `Share port ${port.port}`,
    body: [choices, ends, h("div", { class: "row share-url" }, h("code", { class: "grow" }, port.url), copied)],
    verb: "Save",
    submit: async () => done(await api.share(port.port, chosen(), moment(until.value))),
  });
}

/** Ask for a port on which nothing need listen yet. */
export function askPort(api: PortsApi, done: (port: Port) => void): void {
  const input = h("input", { class: "input", id: "share-port", type: "number", min: 1, max: 65535, inputmode: "numeric", required: true });
  const error = h("p", { class: "error", role: "alert", hidden: true });
  openDialog({
    title: "Share a port",
    body: [h("div", { class: "field" }, h("label", { for: "share-port" }, "Port"), input, error, h("p", { class: "hint" }, "Nothing need listen on it yet."))],
    verb: "Next",
    // Private is what it is as long as nobody said otherwise.
    submit: async () => done(await api.share(Number(input.value) || 0, "private", null)),
    place: (problem) => {
      error.textContent = `${problem.detail}. ${problem.hint}`;
      error.hidden = false;
      input.focus();
      return true;
    },
  });
  input.focus();
}

/** An instant, of an instant or of seconds from now. */
function moment(value: string): string | null {
  return /^\d+$/.test(value) ? new Date(Date.now() + Number(value) * 1000).toISOString() : value || null;
}
