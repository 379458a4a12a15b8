/** Something that others may listen to, and that one sends. */
export class Signal<A extends unknown[]> {
  private readonly listeners = new Set<(...values: A) => void>();

  on(listener: (...values: A) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  send(...values: A): void {
    for (const listener of this.listeners) listener(...values);
  }
}
