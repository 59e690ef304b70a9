// Which places are done: all up to the watermark, and those ranges that are done ahead of it. Events end in order but
// for a few, so there are few ranges.

export type PlaceRange = readonly [from: number, to: number];

export class Watermark {
  #through: number;
  /** In order, with at least one place that is not done between two. */
  readonly #ahead: [from: number, to: number][];

  constructor(through = 0, ahead: readonly PlaceRange[] = []) {
    this.#through = through;
    this.#ahead = ahead.map(([from, to]) => [from, to]);
  }

  get through(): number {
    return this.#through;
  }

  get ahead(): readonly PlaceRange[] {
    return this.#ahead;
  }

  has(place: number): boolean {
    return place <= this.#through || this.#ahead.some(([from, to]) => place >= from && place <= to);
  }

  done(from: number, to = from): void {
    if (from > this.#through + 1 || this.#ahead.length > 0) {
      this.#addAhead(from, to);
      this.#advance();
    } else if (to > this.#through) {
      this.#through = to;
    }
  }

  /** Places from `from` on and before `to` that are not done. */
  openBetween(from: number, to: number): number {
    const start = Math.max(from, this.#through + 1);
    let open = Math.max(0, to - start);
    for (const [first, last] of this.#ahead) open -= Math.max(0, Math.min(last, to - 1) - Math.max(first, start) + 1);
    return open;
  }

  #addAhead(from: number, to: number): void {
    let at = this.#ahead.length;
    while (at > 0 && (this.#ahead[at - 1] as PlaceRange)[0] > from) at -= 1;
    this.#ahead.splice(at, 0, [from, to]);
    // What overlaps or touches becomes one.
    for (let index = Math.max(1, at); index <= at + 1;) {
      const before = this.#ahead[index - 1];
      const next = this.#ahead[index];
      if (before === undefined || next === undefined || next[0] > before[1] + 1) {
        index += 1;
        continue;
      }
      before[1] = Math.max(before[1], next[1]);
      this.#ahead.splice(index, 1);
    }
  }

  #advance(): void {
    for (let first = this.#ahead[0]; first !== undefined && first[0] <= this.#through + 1; first = this.#ahead[0]) {
      this.#through = Math.max(this.#through, first[1]);
      this.#ahead.shift();
    }
  }
}
