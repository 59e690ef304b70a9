// Cuts text that comes in pieces into lines.
export class TextLines {
  #partial = '';

  /** The lines that end in this piece, without their newlines. */
  push(text: string): string[] {
    if (!text.includes('\n')) {
      // A long line that comes in many pieces is put together only once.
      this.#partial += text;
      return [];
    }
    const lines = (this.#partial + text).split('\n');
    this.#partial = lines.pop() ?? '';
    return lines;
  }

  /** Characters of the line that has no end yet. */
  get partialLength(): number {
    return this.#partial.length;
  }

  /** What has no end yet, which is a line after all. */
  takePartial(): string {
    const partial = this.#partial;
    this.#partial = '';
    return partial;
  }
}
