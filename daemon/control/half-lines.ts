// What all unfinished requests of the control surface hold together. Each connection may begin a large line or body, so
// that without a common bound a few hundred connections hold gigabytes, and parsing what they leave behind when they
// end would keep the host from everything else.
import { HostError } from '../../protocol/errors.ts';

/** A line this small is never refused: the number of connections bounds what all of them hold. */
export const smallLineBytes = 64 * 1024;

export class HalfLines {
  readonly #maxBytes: number;
  #bytes = 0;
  readonly #lastLines: (() => void)[] = [];
  #parsing = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Held at present. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether a request that holds `heldBytes` may hold `moreBytes` more; false leaves everything as it was. */
  take(heldBytes: number, moreBytes: number): boolean {
    if (this.#bytes + moreBytes > this.#maxBytes && heldBytes + moreBytes > smallLineBytes) return false;
    this.#bytes += moreBytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#bytes -= bytes;
  }

  /**
   * Runs `parse` in a turn of its own. Many clients may end at one moment, each with a large line that lacks its
   * newline, and together their parsing would take seconds.
   */
  afterOthers(parse: () => void): void {
    this.#lastLines.push(parse);
    if (!this.#parsing) this.#parseSoon();
  }

  #parseSoon(): void {
    this.#parsing = true;
    setImmediate(() => {
      this.#lastLines.shift()?.();
      this.#parsing = false;
      if (this.#lastLines.length > 0) this.#parseSoon();
    });
  }

  refusal(): HostError {
    const maximum = this.#maxBytes;
    return new HostError(
      'too_many_requests',
      `The unfinished requests of all connections hold ${String(maximum)} bytes together, which is the limit. Raise limits.halfLineBytes to allow more.`,
      { limit: 'limits.halfLineBytes', maximum },
    );
  }
}
