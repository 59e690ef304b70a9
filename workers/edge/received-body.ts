// The body of a request while it is received. One that comes in one piece is not copied; of very many small pieces each
// would take more memory than its bytes, so that they are put together on the way.
const mostPieces = 64;

export class ReceivedBody {
  length = 0;
  #joined: Buffer[] = [];
  #pieces: Buffer[] = [];

  add(piece: Buffer): void {
    this.length += piece.length;
    if (this.#pieces.push(piece) < mostPieces) return;
    this.#joined.push(Buffer.concat(this.#pieces));
    this.#pieces = [];
    if (this.#joined.length === mostPieces) this.#joined = [Buffer.concat(this.#joined)];
  }

  whole(): Buffer {
    const [only = empty, ...more] = [...this.#joined, ...this.#pieces];
    return more.length === 0 ? only : Buffer.concat([only, ...more], this.length);
  }
}

const empty = Buffer.alloc(0);
