// How long to wait before a connection is tried again: doubles with failures in a row, with full jitter, so that many
// clients of a server that comes back do not return at once.

export class BackOff {
  readonly #bounds: readonly [number, number];
  readonly #random: () => number;
  #failures = 0;

  constructor(bounds: readonly [number, number], random: () => number = Math.random) {
    this.#bounds = bounds;
    this.#random = random;
  }

  /** The delay before the next try; the least of the bounds is never undercut. */
  next(): number {
    const [least, most] = this.#bounds;
    const ceiling = Math.min(Math.max(least, most), least * 2 ** Math.min(this.#failures + 1, 30));
    this.#failures += 1;
    return Math.round(least + this.#random() * (ceiling - least));
  }

  /** A connection lasted for so long: one that was open beyond the most that is waited counts as a success. */
  lasted(ms: number): void {
    if (ms >= this.#bounds[1]) this.#failures = 0;
  }

  reset(): void {
    this.#failures = 0;
  }
}
