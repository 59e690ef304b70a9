// How long a slot was of no use after a fault: it is tried again and again, and the longest time between two tries that
// succeeded counts, beginning with the fault's own answer.

export class Outage {
  #lastMs: number;
  #longestMs = 0;
  #succeeded = false;

  constructor(answeredMs: number) {
    this.#lastMs = answeredMs;
  }

  /** A try succeeded now. */
  good(): void {
    const nowMs = performance.now();
    this.#longestMs = Math.max(this.#longestMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    this.#succeeded = true;
  }

  /** Null while no try has. */
  get ms(): number | null {
    return this.#succeeded ? this.#longestMs : null;
  }
}
