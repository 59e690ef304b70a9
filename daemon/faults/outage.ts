// How long a slot was of no use after a fault: it is tried again and again, and the longest stretch counts that ended
// in a try that succeeded, the first one beginning with the fault's own answer.

export class Outage {
  #sinceMs: number | undefined;
  #longestMs: number | undefined;

  constructor(answeredMs: number) {
    this.#sinceMs = answeredMs;
  }

  /** A try that began at `beganMs` succeeded now; a slow one was an outage by itself. */
  good(beganMs: number): void {
    this.#longestMs = Math.max(this.#longestMs ?? 0, performance.now() - (this.#sinceMs ?? beganMs));
    this.#sinceMs = undefined;
  }

  bad(beganMs: number): void {
    this.#sinceMs ??= beganMs;
  }

  /** Null while the last word is that it does not work. */
  get ms(): number | null {
    return this.#sinceMs === undefined ? (this.#longestMs ?? null) : null;
  }
}
