// Requests that were accepted, by what is the same for each copy, for as long as a copy would pass the time window.
// Bounded: where there are more than fit, the oldest are forgotten first.

const mostKept = 20_000;

export class SeenRequests {
  readonly #until = new Map<string, number>();

  has(key: string, nowMs: number): boolean {
    const until = this.#until.get(key);
    return until !== undefined && until >= nowMs;
  }

  add(key: string, untilMs: number, nowMs: number): void {
    this.#until.delete(key);
    this.#until.set(key, untilMs);
    for (const [oldest, until] of this.#until) {
      if (until >= nowMs && this.#until.size <= mostKept) break;
      this.#until.delete(oldest);
    }
  }

  remove(key: string): void {
    this.#until.delete(key);
  }
}
