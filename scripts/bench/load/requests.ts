// A ring of requests made beforehand: so many of them in a row are one slice of one buffer, and one write.
import type { Socket } from 'node:net';

/** Enough for a slice to be long where a single request is repeated. */
const leastRequests = 256;

export class RequestRing {
  readonly #bytes: Buffer;
  readonly #offsets: number[] = [0];
  #at = 0;

  constructor(requests: readonly string[]) {
    const times = Math.ceil(leastRequests / requests.length);
    const texts = Array.from({ length: times }, () => requests).flat();
    let length = 0;
    for (const text of texts) this.#offsets.push((length += Buffer.byteLength(text)));
    this.#bytes = Buffer.from(texts.join(''));
  }

  write(socket: Socket, count: number): void {
    let left = count;
    const size = this.#offsets.length - 1;
    while (left > 0) {
      const some = Math.min(left, size - this.#at);
      socket.write(this.#bytes.subarray(this.#offsets[this.#at], this.#offsets[this.#at + some]));
      this.#at = (this.#at + some) % size;
      left -= some;
    }
  }
}
