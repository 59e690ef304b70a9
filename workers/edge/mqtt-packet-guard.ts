// Looks at the sizes of MQTT packets as they arrive, before the library gathers one: the library would gather 256 MB.

type Step = 'type' | 'length' | 'body';

/** A length has at most so many bytes of seven bits each. */
const mostLengthBytes = 4;

export class PacketGuard {
  readonly #mostBytes: number;
  #step: Step = 'type';
  #length = 0;
  #lengthBytes = 0;
  #left = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** False: a packet is larger than it may be, or no packet at all. Nothing of this chunk is to be used then. */
  admits(chunk: Uint8Array): boolean {
    for (let at = 0; at < chunk.length;) {
      if (this.#step === 'body') {
        const taken = Math.min(this.#left, chunk.length - at);
        at += taken;
        this.#left -= taken;
        if (this.#left === 0) this.#step = 'type';
        continue;
      }
      const byte = chunk[at] ?? 0;
      at += 1;
      if (this.#step === 'type') {
        this.#step = 'length';
        this.#length = 0;
        this.#lengthBytes = 0;
        continue;
      }
      this.#length += (byte & 0x7f) * 128 ** this.#lengthBytes;
      this.#lengthBytes += 1;
      if (byte >= 0x80 && this.#lengthBytes < mostLengthBytes) continue;
      if (byte >= 0x80 || this.#length > this.#mostBytes) return false;
      this.#left = this.#length;
      this.#step = this.#left === 0 ? 'type' : 'body';
    }
    return true;
  }
}
