/** The rules for names, the same as the server's. */

const SHAPE = /^[a-z0-9]+(-[a-z0-9]+)*$/;

/** What is wrong with a workspace's name, or "". */
export function workspaceNameProblem(name: string): string {
  if (!name) return "A workspace needs a name.";
  if (name.length > 24) return "At most 24 characters.";
  if (/[A-Z]/.test(name)) return "Small letters only.";
  if (/[^a-z0-9-]/.test(name)) return "Only letters a–z, digits and hyphens.";
  if (!SHAPE.test(name)) return "Hyphens only inside, and never two in a row.";
  return "";
}

/** Which rules a user name meets. */
export function usernameRules(name: string): { length: boolean; letters: boolean; hyphens: boolean } {
  return {
    length: name.length >= 2 && name.length <= 30,
    letters: /^[a-z0-9-]+$/.test(name),
    hyphens: name.length > 0 && !/^-|-$|--/.test(name),
  };
}
