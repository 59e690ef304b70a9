// What was said to a worker and by it, in the order it was committed. Bounded by items and by bytes: the oldest goes,
// and the sequence of the first that is kept says so.
import type { ItemStatus, TranscriptItem, TranscriptPage } from '../../../protocol/runtime.ts';
import { Ring } from '../../telemetry/ring.ts';

export interface TranscriptBounds {
  readonly items: number;
  readonly bytes: number;
}

export interface KeptTranscript {
  /** Items ever committed. */
  readonly total: number;
  /** The newest of them, without a gap. */
  readonly items: readonly TranscriptItem[];
}

export type NewItem = Omit<TranscriptItem, 'sequence'>;

/** The content of one page: a page of long items holds fewer of them. */
const pageBytes = 1024 * 1024;

interface Entry {
  item: TranscriptItem;
  bytes: number;
}

export class Transcript {
  readonly #maxBytes: number;
  readonly #entries: Ring<Entry>;
  #total = 0;
  #bytes = 0;

  constructor({ items, bytes }: TranscriptBounds, kept?: KeptTranscript) {
    this.#maxBytes = bytes;
    this.#entries = new Ring(items);
    if (kept === undefined) return;
    this.#total = kept.total - kept.items.length;
    for (const { sequence: _, ...item } of kept.items) this.commit(item);
  }

  get total(): number {
    return this.#total;
  }

  /** Of the oldest item that is kept. */
  get first(): number {
    return this.#total - this.#entries.size + 1;
  }

  all(): TranscriptItem[] {
    return this.#entries.newest(this.#entries.size).map(({ item }) => item);
  }

  /** Undefined where it is gone by now. */
  item(sequence: number): TranscriptItem | undefined {
    return this.#entry(sequence)?.item;
  }

  get counts(): { firstSequence: number; totalItems: number; keptItems: number; keptBytes: number } {
    return {
      firstSequence: this.first,
      totalItems: this.#total,
      keptItems: this.#entries.size,
      keptBytes: this.#bytes,
    };
  }

  commit(item: NewItem): TranscriptItem {
    this.#total += 1;
    const entry = { item: { sequence: this.#total, ...item }, bytes: Buffer.byteLength(item.content) };
    this.#bytes += entry.bytes - (this.#entries.push(entry)?.bytes ?? 0);
    this.#trim();
    return entry.item;
  }

  /** Goes on with an item; nothing where it is gone by now. */
  extend(sequence: number, text: string): void {
    const entry = this.#entry(sequence);
    if (entry === undefined) return;
    const bytes = Buffer.byteLength(text);
    entry.item = { ...entry.item, content: entry.item.content + text };
    entry.bytes += bytes;
    this.#bytes += bytes;
    this.#trim();
  }

  finish(sequence: number, status: ItemStatus, truncated: boolean): void {
    const entry = this.#entry(sequence);
    if (entry !== undefined) entry.item = { ...entry.item, status, ...(truncated ? { truncated } : {}) };
  }

  read(start: number, limit: number): TranscriptPage {
    const from = Math.min(Math.max(start, this.first), this.#total + 1);
    const items: TranscriptItem[] = [];
    let bytes = 0;
    for (const entry of this.#entries.slice(from - this.first, limit)) {
      bytes += entry.bytes;
      if (bytes > pageBytes && items.length > 0) break;
      items.push(entry.item);
    }
    return { items, firstSequence: this.first, totalItems: this.#total, nextStart: from + items.length };
  }

  /** Whether anything that belongs to this input is kept. */
  holds(eventId: string): boolean {
    return this.#entries.newest(this.#entries.size).some(({ item }) => item.eventId === eventId);
  }

  /** The newest that fit, in order, and reaching back at least to `since` where that is still kept. */
  newest(
    bounds: TranscriptBounds,
    {
      since = Infinity,
      wanted = () => true,
    }: { since?: number | undefined; wanted?(item: TranscriptItem): boolean } = {},
  ): TranscriptItem[] {
    const taken: TranscriptItem[] = [];
    let bytes = 0;
    for (const { item, bytes: more } of this.#entries.newest(this.#entries.size).reverse()) {
      if (!wanted(item)) continue;
      bytes += more;
      const fits = taken.length < bounds.items && (bytes <= bounds.bytes || taken.length === 0);
      if (!fits && item.sequence < since) break;
      taken.push(item);
    }
    return taken.reverse();
  }

  #entry(sequence: number): Entry | undefined {
    return sequence < this.first ? undefined : this.#entries.slice(sequence - this.first, 1)[0];
  }

  #trim(): void {
    while (this.#bytes > this.#maxBytes) this.#bytes -= this.#entries.shift()?.bytes ?? this.#bytes;
  }
}
