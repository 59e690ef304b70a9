// What is known of the stored events of one queue: which are done, which were moved, how many there are, and what the
// next commit has to change in the store so that it says the same. It does no I/O.
import { type Change, put, remove, removeRange, storeKey } from '../../../protocol/store/change.ts';
import type { ServiceCounters } from '../../../protocol/status.ts';
import type { Clock } from '../../time/clock.ts';
import type { QueuedEvent } from '../../dispatch/queued-event.ts';
import { encodeMoved, encodePage, pagesOf } from './event-page.ts';
import { type QueueRecord, eventKey, eventsTable, keysOf, movedTable, recordChange } from './queue-record.ts';
import type { Recovered, StoredPage } from './queue-recovery.ts';
import { Watermark } from './watermark.ts';

/** What a commit writes of the queue itself, and what its end means for the ledger. */
export interface Entry {
  readonly serial: number;
  readonly changes: readonly Change[];
  /** Pages that the stored events went into. */
  readonly pages: readonly StoredPage[];
  applied(): void;
  refused(): void;
}

export class QueueLedger {
  readonly #pluginId: string;
  readonly #clock: Clock;
  #done = new Watermark();
  #serial = 0;
  #next = 1;
  #count = 0;
  #bytes = 0;
  #exists = false;
  /** Pages of which something is or was in memory, in order. */
  readonly #pages: StoredPage[] = [];
  /** Pages before this place are of no use any more. */
  #cleanTo = 0;
  /** Pages before this place are removed. */
  #cleanedTo = 0;
  readonly #moved = new Set<number>();
  /** What is not committed of events that were moved, or that were done after it. */
  #movedChanges = new Map<number, Change>();
  generation: number;
  /** Events that may have taken a daemon down. */
  readonly suspects = new Set<number>();

  constructor(pluginId: string, clock: Clock) {
    this.#pluginId = pluginId;
    this.#clock = clock;
    this.generation = clock.wallMs();
  }

  /** There is a record in the store, or one is on its way. */
  get exists(): boolean {
    return this.#exists;
  }

  get serial(): number {
    return this.#serial;
  }

  /** The place of the next event that is stored. */
  get next(): number {
    return this.#next;
  }

  /** All up to this place are done. */
  get through(): number {
    return this.#done.through;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Places from `from` on and before `to` that are not done; those of moved events are. */
  openBetween(from: number, to: number): number {
    return this.#done.openBetween(from, to);
  }

  readonly isMoved = (place: number): boolean => this.#moved.has(place);

  adopt({ record, moved, events, pages, later, count, suspects }: Recovered): void {
    this.#done = new Watermark(record.through, record.ahead);
    this.#serial = record.serial;
    this.#next = record.next;
    this.#count = count;
    this.#bytes = Math.max(record.bytes, sum(events) + sum(moved.map(({ event }) => event)) + sum(later));
    this.#exists = true;
    this.generation = record.generation;
    this.#pages.push(...pages);
    for (const { event } of moved) this.#moved.add(event.place ?? 0);
    for (const { place } of later) this.#moved.add(place);
    for (const place of suspects) this.suspects.add(place);
  }

  /** It is stored and is no longer only offered. */
  added(event: QueuedEvent): void {
    this.#count += 1;
    this.#bytes += event.bytes;
  }

  /** Pages of which something comes into memory. */
  opened(page: StoredPage): void {
    const last = this.#pages.at(-1);
    if (last === undefined || page.first > last.first) this.#pages.push(page);
  }

  done({ place = 0, bytes }: Pick<QueuedEvent, 'place' | 'bytes'>): void {
    if (this.suspects.size > 0) this.suspects.delete(place);
    this.#count -= 1;
    this.#bytes -= bytes;
    if (this.#moved.delete(place)) this.#movedChanges.set(place, remove(movedTable, this.#movedKey(place)));
    else this.#done.done(place);
  }

  /** All places of a range that are not in memory. */
  doneRange(
    page: StoredPage,
    from: number,
    { count, bytes }: { readonly count: number; readonly bytes: number },
  ): void {
    this.#done.done(from, page.last);
    this.opened(page);
    this.#count -= count;
    this.#bytes -= bytes;
  }

  /** It comes again, and lies outside of its page from now on. */
  move(event: QueuedEvent, retryAtMs: number): void {
    const { place = 0 } = event;
    this.#done.done(place);
    this.#moved.add(place);
    this.#movedChanges.set(
      place,
      put(movedTable, this.#movedKey(place), encodeMoved({ event, retryAtMs }, this.#clock)),
    );
  }

  /** It was done, and is not. */
  undone(event: QueuedEvent): void {
    this.#count += 1;
    this.#bytes += event.bytes;
    this.move(event, 0);
  }

  /** Gives each of the events its place, and writes all that is not committed. */
  write(events: readonly QueuedEvent[], counters: ServiceCounters): Entry {
    const changes: Change[] = [];
    const pages: StoredPage[] = [];
    const wasThere = this.#exists;
    this.#exists = true;
    let next = this.#next;
    for (const page of pagesOf(events)) {
      const first = next;
      // The host's own event, which nobody else has seen yet, gets the member that was left open for this.
      for (const event of page) (event as { place?: number }).place = next++;
      changes.push(put(eventsTable, eventKey(this.#pluginId, first), encodePage(page, this.#clock)));
      pages.push({ first, last: next - 1 });
    }
    const moved = this.#movedChanges;
    this.#movedChanges = new Map();
    for (const change of moved.values()) changes.push(change);
    const cleanTo = this.#clean(changes);
    const serial = this.#serial + 1;
    const record: QueueRecord = {
      serial,
      generation: this.generation,
      through: this.#done.through,
      ahead: this.#done.ahead.map(([from, to]) => [from, to] as const),
      next,
      bytes: this.#bytes + sum(events),
      counters,
      ...(this.suspects.size === 0 ? {} : { suspects: [...this.suspects] }),
    };
    changes.push(recordChange(this.#pluginId, record));
    return {
      serial,
      changes,
      pages,
      applied: () => {
        this.#serial = serial;
        this.#next = next;
        this.#cleanedTo = cleanTo;
      },
      refused: () => {
        this.#exists = wasThere;
        for (const [place, change] of moved) if (!this.#movedChanges.has(place)) this.#movedChanges.set(place, change);
      },
    };
  }

  /** Nothing of it is in the store any more: everything is written with the next commit. */
  rewrite(events: readonly QueuedEvent[]): Change[] {
    const changes: Change[] = [
      removeRange(eventsTable, keysOf(this.#pluginId)),
      removeRange(movedTable, keysOf(this.#pluginId)),
    ];
    for (const event of events) this.move(event, 0);
    return changes;
  }

  #clean(changes: Change[]): number {
    let first = this.#pages[0];
    while (first !== undefined && first.last <= this.#done.through) {
      this.#cleanTo = first.last + 1;
      this.#pages.shift();
      first = this.#pages[0];
    }
    if (this.#cleanTo > this.#cleanedTo)
      changes.push(
        removeRange(eventsTable, { from: eventKey(this.#pluginId, 0), to: eventKey(this.#pluginId, this.#cleanTo) }),
      );
    return this.#cleanTo;
  }

  #movedKey(place: number): string {
    return storeKey(this.#pluginId, place);
  }
}

const sum = (events: readonly Pick<QueuedEvent, 'bytes'>[]): number =>
  events.reduce((bytes, event) => bytes + event.bytes, 0);
