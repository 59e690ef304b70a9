// How much of each item of a transcript has been told already. Events come at least once and a snapshot tells again
// what it holds: whoever prints them must say everything once.
import type { TranscriptItem } from '../../protocol/runtime.ts';

/** Far more items than can be open at a time. */
const remembered = 1000;

export class PrintedItems {
  /** In characters, by sequence; the oldest is forgotten first. */
  readonly #told = new Map<number, number>();

  /** It has been begun. */
  has(sequence: number): boolean {
    return this.#told.has(sequence);
  }

  /** What of an item was not told yet. */
  rest({ sequence, content }: TranscriptItem): string {
    return this.more(sequence, 0, content);
  }

  /** What of a piece was not told yet; `offset` characters of the item stand before it. */
  more(sequence: number, offset: number, text: string): string {
    const told = this.#told.get(sequence) ?? 0;
    this.#told.set(sequence, Math.max(told, offset + text.length));
    const [oldest] = this.#told.keys();
    if (this.#told.size > remembered && oldest !== undefined) this.#told.delete(oldest);
    return text.slice(Math.max(0, told - offset));
  }
}
