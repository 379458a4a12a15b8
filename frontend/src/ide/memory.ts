/** What this browser remembers of one person's work in one workspace: the layout and the open tabs. */
import { boot } from "../lib/dom";
import type { User } from "../lib/types";

/** Whose page this is: the next to sign in with this browser may even have the name of one who is gone, and never the uid. */
export function owner(): string {
  const { user } = boot<{ user: User }>();
  return `${user.username}.${user.uid}`;
}

export class Memory {
  constructor(private readonly workspace: string) {}

  /** Return what was kept under a name, with defaults for what is missing. */
  get<T extends object>(name: string, defaults: T): T {
    try {
      const kept: unknown = JSON.parse(localStorage.getItem(this.key(name)) ?? "null");
      return kept && typeof kept === "object" ? { ...defaults, ...kept } : { ...defaults };
    } catch {
      return { ...defaults };
    }
  }

  set(name: string, value: object): void {
    try {
      localStorage.setItem(this.key(name), JSON.stringify(value));
    } catch {
      // The store is full or forbidden: the next visit begins with the defaults.
    }
  }

  private key(name: string): string {
    return `rootblood.ide.${owner()}.${this.workspace}.${name}`;
  }
}
