// What has changed of a durable queue without being new to it: ends of events, and the books. It goes with the next
// commit, and makes one of its own when it has waited for `limits.ackMs`, or when there is too much of it.
import type { Clock, Timer } from '../../time/clock.ts';

/** More would come again after a crash. */
const mostEnds = 4096;

export interface UncommittedEndsOptions {
  readonly clock: Clock;
  readonly ackMs: number;
  /** They have waited long enough. */
  readonly onDue: () => void;
}

export class UncommittedEnds {
  readonly #options: UncommittedEndsOptions;
  #timer: Timer | undefined;
  #ends = 0;
  #closed = false;
  /** Something has changed. */
  exists = false;
  /** It is to be committed now. */
  isDue = false;

  constructor(options: UncommittedEndsOptions) {
    this.#options = options;
  }

  ended(): void {
    this.#ends += 1;
    this.changed();
  }

  changed(): void {
    this.exists = true;
    if (this.#ends >= mostEnds) this.#due();
    else this.dueIn(this.#options.ackMs);
  }

  dueIn(delayMs: number): void {
    if (this.#closed) return;
    this.#timer ??= this.#options.clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#due();
    });
  }

  /** All of it is in a commit. */
  taken(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#ends = 0;
    this.exists = false;
    this.isDue = false;
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #due(): void {
    this.isDue = true;
    this.#options.onDue();
  }
}
