// The part of a durable queue that is on disk alone, behind the head that is in memory: it is read back in pages as
// the head is used up.
import { numberInKey } from '../../../protocol/store/change.ts';
import type { RangePage } from '../../../protocol/store/messages.ts';
import type { Store } from '../../store/store.ts';
import type { Clock, Timer } from '../../time/clock.ts';
import type { IngressQueue } from '../../dispatch/ingress-queue.ts';
import type { QueuedEvent } from '../../dispatch/queued-event.ts';
import { decodePage } from './event-page.ts';
import type { QueueLedger } from './queue-ledger.ts';
import { eventKey, eventsTable, keysOf } from './queue-record.ts';
import type { Recovered, StoredPage } from './queue-recovery.ts';

export interface AbsentOptions {
  readonly pluginId: string;
  readonly store: Store;
  readonly clock: Clock;
  onTrouble(message: string, error?: Error): void;
}

/** An event that is on disk alone. */
export interface StoredEvent {
  readonly event: QueuedEvent;
  /** Undefined: it waits for no retry. */
  readonly retryAtMs: number | undefined;
  /** Events on disk that come before it. */
  readonly ahead: number;
}

export const hasId = ({ eventId, correlationId }: QueuedEvent, id: string): boolean =>
  eventId === id || correlationId === id;

export interface AbsentOwner {
  readonly queue: IngressQueue;
  wake(): void;
  damaged(count: number): void;
}

const pagesOfRead = 64;
const leastReadBytes = 64 * 1024;
const mostReadBytes = 2 * 1024 * 1024;
const againMs = 1000;
/** Of a search through all that is on disk alone. */
const searchMs = 5000;
const pagesOfSearch = 1000;
const placeInKey = 1;

export class AbsentEvents {
  readonly #options: AbsentOptions;
  readonly #ledger: QueueLedger;
  readonly #owner: AbsentOwner;
  /** The first event that is not in memory, and the page that it lies in, or a place before it. */
  #rest: { readonly from: number; readonly page: number } | undefined;
  #bytes = 0;
  #count = 0;
  /** The last event that is kept here. */
  #last = 0;
  /** Pages of the commit whose events are being queued. */
  #storing: readonly StoredPage[] = [];
  #reading = false;
  #again: Timer | undefined;
  #closed = false;

  constructor(options: AbsentOptions, ledger: QueueLedger, owner: AbsentOwner) {
    this.#options = options;
    this.#ledger = ledger;
    this.#owner = owner;
  }

  get from(): number | undefined {
    return this.#rest?.from;
  }

  adopt({ rest, count, events, moved, later }: Recovered): void {
    this.#rest = rest;
    this.#last = this.#ledger.next - 1;
    this.#add(count - events.length - moved.length - later.length);
    const others = [...events, ...moved.map(({ event }) => event), ...later];
    this.#bytes = Math.max(0, this.#ledger.bytes - others.reduce((bytes, event) => bytes + event.bytes, 0));
  }

  /** The events of these pages are queued next. */
  stored(pages: readonly StoredPage[]): void {
    this.#storing = pages;
  }

  /** True: the event stays on disk alone. */
  keeps({ place = 0, bytes }: QueuedEvent): boolean {
    const { queue } = this.#owner;
    const page = this.#storing.find(({ last }) => last >= place) ?? { first: place, last: place };
    if (this.#rest === undefined && (queue.size === 0 || queue.bytes + bytes <= queue.maxBytes)) {
      this.#ledger.opened(page);
      return false;
    }
    this.#rest ??= { from: place, page: page.first };
    this.#last = place;
    this.#bytes += bytes;
    this.#add(1);
    return true;
  }

  /** The place that an event that is not stored comes behind; undefined where it can be queued at once. */
  get after(): number | undefined {
    return this.#rest === undefined ? undefined : this.#last;
  }

  /** All of it is done. Returns how many events that were. */
  drop(): number {
    const rest = this.#rest;
    if (rest === undefined) return 0;
    const absent = this.#count;
    const last = this.#ledger.next - 1;
    this.#ledger.doneRange({ first: rest.page, last }, rest.from, { count: absent, bytes: this.#bytes });
    this.#add(-absent);
    this.#owner.queue.joinBehind(Infinity);
    this.#bytes = 0;
    this.#rest = undefined;
    return absent;
  }

  /** Those with this id, at most so many; what cannot be read within `searchMs` is not found. */
  async find(id: string, most: number): Promise<StoredEvent[]> {
    const { pluginId, store, clock } = this.#options;
    const { page, from: begin } = this.#rest ?? {};
    const found: StoredEvent[] = [];
    if (page === undefined || begin === undefined) return found;
    const byMs = clock.monotonicMs() + searchMs;
    for await (const { entries } of store.kept.pages({
      table: eventsTable,
      from: eventKey(pluginId, page),
      to: keysOf(pluginId).to,
      limit: pagesOfSearch,
      maxBytes: mostReadBytes,
    })) {
      for (const { key, value } of entries) {
        const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
        if (!text.includes(id)) continue;
        for (const event of decodePage(text.toString(), numberInKey(key, placeInKey), clock)) {
          const { place = 0 } = event;
          if (place < begin || !hasId(event, id) || this.#ledger.openBetween(place, place + 1) === 0) continue;
          found.push({ event, retryAtMs: undefined, ahead: this.#ledger.openBetween(begin, place) });
          if (found.length >= most) return found;
        }
      }
      if (clock.monotonicMs() > byMs) break;
    }
    return found;
  }

  needed(): void {
    const { queue } = this.#owner;
    if (this.#rest === undefined || this.#reading || this.#closed) return;
    if (queue.bytes <= queue.maxBytes / 2 || (queue.ready === 0 && queue.bytes < queue.maxBytes)) void this.#readOn();
  }

  close(): void {
    this.#closed = true;
    this.#again?.cancel();
  }

  async #readOn(): Promise<void> {
    const { pluginId, store, clock, onTrouble } = this.#options;
    const rest = this.#rest;
    if (rest === undefined) return;
    this.#reading = true;
    try {
      const found = await store.kept.range({
        table: eventsTable,
        from: eventKey(pluginId, rest.page),
        to: keysOf(pluginId).to,
        limit: pagesOfRead,
        maxBytes: Math.max(leastReadBytes, Math.min(mostReadBytes, this.#owner.queue.maxBytes / 2)),
      });
      this.#reading = false;
      // It was dropped meanwhile.
      if (this.#rest === undefined || this.#rest.from !== rest.from || this.#closed) return;
      this.#take(found, rest);
      this.#owner.wake();
      this.needed();
    } catch (thrown) {
      this.#reading = false;
      if (this.#closed) return;
      onTrouble('the next events of the queue cannot be read now; they are read when the store works', asError(thrown));
      this.#again = clock.after(againMs, () => this.needed());
    }
  }

  #take({ entries, damaged, more }: RangePage, rest: { readonly from: number; readonly page: number }): void {
    const { queue } = this.#owner;
    let { from } = rest;
    for (const { key, value } of entries) {
      const first = numberInKey(key, placeInKey);
      const page = decodePage(Buffer.from(value).toString(), first, this.#options.clock);
      const last = first + page.length - 1;
      this.#lost(from, Math.min(first, this.#ledger.next));
      this.#ledger.opened({ first, last });
      for (const event of page) {
        const place = event.place ?? 0;
        if (place < from || place >= this.#ledger.next) continue;
        if (queue.bytes + event.bytes > queue.maxBytes && queue.ready > 0) {
          this.#rest = { from: place, page: first };
          return;
        }
        queue.joinBehind(place);
        queue.push(event);
        this.#add(-1);
        this.#bytes -= event.bytes;
        from = place + 1;
      }
    }
    const lastDamaged = damaged.at(-1);
    if (!more) this.#lost(from, this.#ledger.next);
    if (!more) from = this.#ledger.next;
    if (from < this.#ledger.next) {
      const beyond = lastDamaged === undefined ? from : numberInKey(lastDamaged, placeInKey) + 1;
      this.#rest = { from, page: entries.length === 0 ? beyond : from };
      return;
    }
    this.#rest = undefined;
    this.#bytes = 0;
    queue.joinBehind(Infinity);
  }

  #add(count: number): void {
    this.#count += count;
    this.#owner.queue.addAbsent(count);
  }

  /** Places from `from` on and before `to` that were to be here. */
  #lost(from: number, to: number): void {
    const count = Math.min(to - from, this.#count);
    if (count <= 0) return;
    this.#ledger.doneRange({ first: from, last: to - 1 }, from, { count, bytes: 0 });
    this.#add(-count);
    this.#owner.damaged(count);
  }
}

const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)));
