// Texts that come again and again, found by their bytes: to compare a few bytes is cheaper than to make a text, and
// what is the same text is then the same object.

const slots = 256;
const longest = 64;

export class KnownTexts {
  readonly #texts: string[] = [];
  readonly #bytes: Uint8Array[] = [];

  /** `bytes` from `start` to `end` are plain ASCII. */
  of(bytes: Buffer, start: number, end: number): string {
    const length = end - start;
    if (length > longest) return bytes.toString('latin1', start, end);
    let slot = length;
    for (let at = start; at < end; at += 1) slot = (slot * 31 + (bytes[at] ?? 0)) & 0xffff;
    slot %= slots;
    const known = this.#bytes[slot];
    if (known !== undefined && known.length === length && same(known, bytes, start)) return this.#texts[slot] as string;
    const text = bytes.toString('latin1', start, end);
    // A copy: what came over the socket is not to be kept for it.
    this.#bytes[slot] = Uint8Array.prototype.slice.call(bytes, start, end);
    this.#texts[slot] = text;
    return text;
  }
}

function same(known: Uint8Array, bytes: Uint8Array, start: number): boolean {
  for (let at = 0; at < known.length; at += 1) {
    if (known[at] !== bytes[start + at]) return false;
  }
  return true;
}
