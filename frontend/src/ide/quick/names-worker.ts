/** Keeps all names below a folder beside the page and looks through them there: no key waits for that. */
import { NameIndex, type Scored } from "./name-index";

/** `names` is JSON as the API has it. Each question is answered, in order. */
export type Question = { names: ArrayBuffer } | { query: string };
export type Answer = { truncated: boolean } | { found: Scored[] };

let index = new NameIndex([]);

addEventListener("message", ({ data }: MessageEvent<Question>) => {
  postMessage(("names" in data ? { truncated: take(data.names) } : { found: index.search(data.query) }) satisfies Answer);
});

function take(text: ArrayBuffer): boolean {
  const { names, truncated } = JSON.parse(new TextDecoder().decode(text)) as { names: string[]; truncated: boolean };
  index = new NameIndex(names);
  return truncated;
}
