// The body of a request while it is received. One that comes in one piece is not copied; of many small pieces no more
// memory is held than twice their bytes.
export class ReceivedBody {
  #bytes: Buffer | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(piece: Buffer): void {
    const length = this.#length + piece.length;
    if (this.#bytes === undefined) {
      this.#bytes = piece;
    } else {
      if (length > this.#bytes.length) {
        const larger = Buffer.allocUnsafeSlow(length * 2);
        this.#bytes.copy(larger, 0, 0, this.#length);
        this.#bytes = larger;
      }
      piece.copy(this.#bytes, this.#length);
    }
    this.#length = length;
  }

  whole(): Buffer {
    return this.#bytes?.subarray(0, this.#length) ?? empty;
  }
}

const empty = Buffer.alloc(0);
