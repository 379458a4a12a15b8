/** Finding names by a few of their letters, as quick open does it. */

export interface Match {
  score: number;
  /** Where the letters stand in the text. */
  at: number[];
}

const BOUNDARY = /[/\\._\- ]/;

/** Match letters in their order, best where they begin words or follow each other; null where one is missing. */
export function fuzzy(query: string, text: string): Match | null {
  const wanted = query.toLowerCase().replaceAll(" ", "");
  const lower = text.toLowerCase();
  if (!wanted) return { score: 0, at: [] };
  const name = text.lastIndexOf("/") + 1;
  const inName = run(wanted, lower, text, name);
  if (inName) return { ...inName, score: inName.score + 40 - Math.min(20, text.length / 8) };
  const anywhere = run(wanted, lower, text, 0);
  return anywhere && { ...anywhere, score: anywhere.score - Math.min(20, text.length / 8) };
}

function run(wanted: string, lower: string, text: string, from: number): Match | null {
  const whole = lower.indexOf(wanted, from);
  if (whole >= 0) {
    const at = Array.from(wanted, (_, i) => whole + i);
    return { at, score: wanted.length * 8 + (whole === from || BOUNDARY.test(text[whole - 1] ?? "/") ? 20 : 0) };
  }
  const at: number[] = [];
  let score = 0;
  let position = from;
  for (const letter of wanted) {
    const next = best(lower, text, letter, position, at.at(-1));
    if (next < 0) return null;
    score += next === (at.at(-1) ?? -2) + 1 ? 6 : begins(text, next) ? 5 : 1;
    at.push(next);
    position = next + 1;
  }
  return { at, score };
}

/** Prefer the letter that follows, then one that begins a word, then the first. */
function best(lower: string, text: string, letter: string, from: number, last: number | undefined): number {
  const first = lower.indexOf(letter, from);
  if (first < 0 || first === (last ?? -2) + 1) return first;
  for (let i = first; i >= 0 && i < first + 40; i = lower.indexOf(letter, i + 1)) if (begins(text, i)) return i;
  return first;
}

function begins(text: string, at: number): boolean {
  if (at === 0) return true;
  const before = text[at - 1]!;
  const here = text[at]!;
  return BOUNDARY.test(before) || (here !== here.toLowerCase() && before === before.toLowerCase());
}
