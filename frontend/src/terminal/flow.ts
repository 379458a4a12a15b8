/**
 * Keeps memory bounded when output comes faster than it can be drawn.
 *
 * A browser cannot stop reading a WebSocket and ttyd ignores PAUSE, so what is too much is dropped
 * here: whole frames, and once the flood is over the owner makes tmux draw the screen anew.
 */

/** What the parser may hold at once; the rest waits in a queue that can be dropped. */
const WINDOW_BYTES = 512 * 1024;
const HIGH_BYTES = 8 * 1024 * 1024;
/** Above this, an interrupt drops the queue, so that its effect is seen at once. */
const STALE_BYTES = 128 * 1024;
const CALM_MS = 150;

/** CAN ends a sequence that dropping cut in two (ECMA-48 8.3.7). */
const CANCEL = new Uint8Array([0x18]);

export interface Sink {
  write: (data: Uint8Array, done: () => void) => void;
  /** The backlog is gone and something was dropped: the screen must be drawn anew. */
  redraw: () => void;
}

export class Flow {
  private queue: Uint8Array[] = [];
  private queued = 0;
  private parsing = 0;
  private lossy = false;
  private calm = 0;
  private epoch = 0;
  /** Bytes dropped since the page was opened, for tests and measurements. */
  dropped = 0;

  constructor(private readonly sink: Sink) {}

  get backlog(): number {
    return this.queued + this.parsing;
  }

  /** Take one frame of output. */
  push(data: Uint8Array): void {
    if (this.queued + data.length > HIGH_BYTES) this.drop();
    this.queue.push(data);
    this.queued += data.length;
    this.pump();
  }

  /** Ctrl+C was pressed: old output is of no interest any more. */
  interrupt(): void {
    if (this.queued > STALE_BYTES) this.drop();
  }

  /** Forget all of it: the connection it came from is gone. */
  clear(): void {
    this.queue = [];
    this.queued = 0;
    this.lossy = false;
    this.epoch += 1;
    clearTimeout(this.calm);
  }

  private drop(): void {
    this.dropped += this.queued;
    this.queue = [CANCEL];
    this.queued = CANCEL.length;
    this.lossy = true;
  }

  private pump(): void {
    while (this.queue.length > 0 && this.parsing < WINDOW_BYTES) {
      const data = this.queue.shift()!;
      this.queued -= data.length;
      this.parsing += data.length;
      this.sink.write(data, () => {
        this.parsing -= data.length;
        this.pump();
      });
    }
    if (this.lossy && this.backlog === 0) this.awaitCalm();
  }

  /** Redraw only when the flood has paused, or each redraw would be dropped in turn. */
  private awaitCalm(): void {
    clearTimeout(this.calm);
    const epoch = this.epoch;
    this.calm = window.setTimeout(() => {
      if (!this.lossy || epoch !== this.epoch) return;
      if (this.backlog > 0) return this.awaitCalm();
      this.lossy = false;
      this.sink.redraw();
    }, CALM_MS);
  }
}
