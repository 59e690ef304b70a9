// Counts answers in what comes back without reading them: the load must cost next to nothing, since on few cores it is
// taken from what is measured.

export class AnswerCounter {
  readonly #mark: Buffer;
  #tail = Buffer.alloc(0);

  /** What every answer holds exactly once. */
  constructor(mark: string) {
    this.#mark = Buffer.from(mark);
  }

  count(chunk: Buffer): number {
    const reach = this.#mark.length - 1;
    if (reach === 0) return this.#occurrences(chunk);
    // A mark may lie across two chunks.
    const seam = Buffer.concat([this.#tail, chunk.subarray(0, reach)]);
    this.#tail = Buffer.concat([this.#tail, chunk.subarray(Math.max(0, chunk.length - reach))]).subarray(-reach);
    return this.#occurrences(chunk) + (seam.length > reach ? this.#occurrences(seam) : 0);
  }

  #occurrences(bytes: Buffer): number {
    let found = 0;
    for (let at = bytes.indexOf(this.#mark); at !== -1; at = bytes.indexOf(this.#mark, at + this.#mark.length))
      found += 1;
    return found;
  }
}
