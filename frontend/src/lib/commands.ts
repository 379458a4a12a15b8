/** What the command palette can do: pages register commands, the palette lists them. */
export interface Command {
  title: string;
  icon: string;
  /** Where it belongs, shown at the right. */
  group: string;
  /** Further words to find it by. */
  words?: string;
  run: () => void;
}

type Source = () => Command[];
const sources: Source[] = [];

/** Add a source that is asked each time the palette opens. */
export function offer(source: Source): void {
  sources.push(source);
}

export function commands(): Command[] {
  return sources.flatMap((source) => source());
}

/** Commands that match all words of a query, best first. */
export function matching(list: Command[], query: string): Command[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const score = (command: Command): number => {
    const title = command.title.toLowerCase();
    const all = `${title} ${command.group} ${command.words ?? ""}`.toLowerCase();
    let sum = 0;
    for (const word of words) {
      if (title.startsWith(word)) sum += 4;
      else if (title.includes(` ${word}`)) sum += 3;
      else if (title.includes(word)) sum += 2;
      else if (all.includes(word)) sum += 1;
      else return -1;
    }
    return sum;
  };
  return list.map((command) => ({ command, score: score(command) })).filter((hit) => hit.score >= 0).sort((a, b) => b.score - a.score).map((hit) => hit.command);
}
