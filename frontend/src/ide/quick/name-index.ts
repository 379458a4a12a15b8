/** Names that are looked through at each key: the best for a few letters. */
import { fuzzy, type Match } from "./fuzzy";

export interface Scored {
  name: string;
  match: Match;
}

export const FOUND_MOST = 60;
/** Beyond this many candidates the longer ones are not looked at closely. */
const SCORED_MOST = 4000;

export class NameIndex {
  private readonly lower: string[];
  /** Which have the letters that were asked for last: more letters only leave some of them out. */
  private last: { letters: string; places: Uint32Array };

  constructor(private readonly names: string[]) {
    this.lower = names.map((name) => name.toLowerCase());
    this.last = { letters: "", places: this.all() };
  }

  search(query: string): Scored[] {
    const letters = query.toLowerCase().replaceAll(" ", "");
    const among = letters.startsWith(this.last.letters) ? this.last.places : this.all();
    this.last = { letters, places: among.filter((place) => holds(this.lower[place]!, letters)) };
    return best(Array.from(this.shortest(this.last.places), (place) => this.names[place]!), query);
  }

  private all(): Uint32Array {
    return Uint32Array.from(this.names.keys());
  }

  /** As many as are scored, without putting all of them in order. */
  private shortest(places: Uint32Array): Uint32Array {
    if (places.length <= SCORED_MOST) return places;
    const length = (place: number): number => this.names[place]!.length;
    const counts: number[] = [];
    for (const place of places) counts[length(place)] = (counts[length(place)] ?? 0) + 1;
    let most = 0;
    for (let sum = 0; sum < SCORED_MOST; most += 1) sum += counts[most] ?? 0;
    return places.filter((place) => length(place) < most).slice(0, SCORED_MOST);
  }
}

/** The best of some names, in order; those that lack a letter are none. */
export function best(names: string[], query: string): Scored[] {
  const found: Scored[] = [];
  for (const name of names) {
    const match = fuzzy(query, name);
    if (match) found.push({ name, match });
  }
  return found.sort((a, b) => b.match.score - a.match.score).slice(0, FOUND_MOST);
}

/** Whether a name has these letters in this order. */
function holds(name: string, letters: string): boolean {
  let at = -1;
  for (let i = 0; i < letters.length; i += 1) {
    at = name.indexOf(letters[i]!, at + 1);
    if (at < 0) return false;
  }
  return true;
}
