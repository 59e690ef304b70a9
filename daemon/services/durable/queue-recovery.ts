// Reads what an earlier daemon kept of one queue: the record, the events that come again, the head of the others, and
// the idempotency keys. What may have begun comes as another attempt; what is beyond the bound of memory stays on disk.
import { type Change, numberInKey, put } from '../../../protocol/store/change.ts';
import { asHostError } from '../../../protocol/errors.ts';
import type { ServiceCounters } from '../../../protocol/status.ts';
import type { Store } from '../../store/store.ts';
import type { Clock } from '../../time/clock.ts';
import type { QueuedEvent } from '../../dispatch/queued-event.ts';
import { DispatchMark, type Mark } from './dispatch-mark.ts';
import { type MovedEvent, decodePage, encodeMoved, encodePage } from './event-page.ts';
import { type IdempotencyKeys, keysTable } from './idempotency-keys.ts';
import {
  type QueueRecord,
  eventKey,
  eventsTable,
  keysOf,
  movedTable,
  parseRecord,
  recordChange,
  recordKey,
  recordTable,
} from './queue-record.ts';
import { type StoredRetry, readRetries } from './retry-recovery.ts';
import { Watermark } from './watermark.ts';

/**
 * Whether the plugin took the daemon before this one down. Without a guardian nobody has seen how that daemon ended: an
 * event is charged with its end only if it had begun under the one before as well.
 */
export type Guilt = 'none' | 'proven' | 'unknown';

export interface RecoveryOptions {
  readonly pluginId: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly markPath: string;
  /** What may be read into memory. */
  readonly residentBytes: number;
  readonly guilt: Guilt;
  readonly nothingCounted: ServiceCounters;
}

export interface StoredPage {
  readonly first: number;
  readonly last: number;
}

export interface Recovered {
  readonly record: QueueRecord;
  readonly moved: readonly MovedEvent[];
  /** Events that come again and were left on disk. */
  readonly later: readonly StoredRetry[];
  /** The head of the queue, in order. */
  readonly events: readonly QueuedEvent[];
  readonly pages: readonly StoredPage[];
  /** The first event that was left on disk, and the page it lies in; undefined where none was. */
  readonly rest: { readonly from: number; readonly page: number } | undefined;
  /** Accepted events that have no outcome. */
  readonly count: number;
  /** Events whose values are not what was written. */
  readonly damaged: number;
  /** Places of events that may have taken the daemon down. */
  readonly suspects: readonly number[];
}

const pageEntries = 256;
const placeInKey = 1;

/** Undefined where nothing is kept. Rejects where the store does not work. */
export async function recoverQueue(options: RecoveryOptions, keys: IdempotencyKeys): Promise<Recovered | undefined> {
  const { pluginId, store, nothingCounted } = options;
  const text = await store.kept.get(recordTable, recordKey(pluginId));
  if (text === undefined) return undefined;
  const record = parseRecord(text.toString(), nothingCounted);
  const found = DispatchMark.read(options.markPath);
  const mark = found?.generation === record.generation ? found : undefined;
  const changes: Change[] = [];
  const { moved, later, damaged } = await readRetries(options, options.residentBytes, mark, changes);
  const done = new Watermark(record.through, record.ahead);
  const room = options.residentBytes - moved.reduce((bytes, { event }) => bytes + event.bytes, 0);
  const head = await readHead(options, { record, done, upTo: mark?.upTo ?? 0, room, changes });
  for await (const page of store.kept.pages({ table: keysTable, ...keysOf(pluginId), limit: pageEntries }))
    for (const { key, value } of page.entries) keys.found(numberInKey(key, placeInKey), Buffer.from(value).toString());

  const isOpen = moved.length + later.length + head.count > 0;
  const suspects = options.guilt === 'none' ? [] : suspectsOf(mark, done, moved);
  const charged = chargedOf(suspects, options.guilt, record);
  const { blamed, ...after } = withBlame(options, charged, { moved, events: head.events });
  const last: Change[] = [];
  if (blamed?.place !== undefined) {
    done.done(blamed.place);
    const value = encodeMoved({ event: blamed, retryAtMs: 0 }, options.clock);
    last.push(put(movedTable, eventKey(pluginId, blamed.place), value));
  }
  const next: QueueRecord = {
    ...record,
    serial: record.serial + 1,
    generation: record.generation + 1,
    through: done.through,
    ahead: done.ahead,
    suspects,
  };
  // Nothing is given to a cell before the old mark is void.
  if (isOpen) await commitRecovery(store, changes, [...last, recordChange(pluginId, next)]);
  return {
    record: isOpen ? next : record,
    ...head,
    ...after,
    suspects,
    later,
    count: moved.length + later.length + head.count,
    damaged: damaged + head.damaged,
  };
}

/**
 * At once. Where a full disk has no room for that, one after the other, since each replaces something: a daemon that
 * ends in between raises the attempts of these events once more.
 */
async function commitRecovery(store: Store, changes: readonly Change[], last: readonly Change[]): Promise<void> {
  try {
    await store.commit([...changes, ...last], 'replaces');
  } catch (error) {
    if (asHostError(error).code !== 'storage_full') throw error;
    for (const change of changes) await store.commit([change], 'replaces');
    await store.commit(last, 'replaces');
  }
}

/** The one event that the end of the daemon counts against; undefined where that may be several, or none. */
function chargedOf(
  suspects: readonly number[],
  guilt: Guilt,
  { suspects: before = [] }: QueueRecord,
): number | undefined {
  const [only] = suspects;
  if (suspects.length !== 1 || only === undefined) return undefined;
  return guilt === 'proven' || before.includes(only) ? only : undefined;
}

/** What had begun and was not done when the daemon died. */
function suspectsOf(mark: Mark | undefined, done: Watermark, moved: readonly MovedEvent[]): number[] {
  if (mark === undefined) return [];
  const suspects: number[] = [];
  for (let place = Math.max(done.through, mark.done) + 1; place <= mark.upTo; place += 1)
    if (!done.has(place)) suspects.push(place);
  return [...suspects, ...moved.flatMap(({ event: { place = 0 } }) => (mark.moved.has(place) ? [place] : []))];
}

interface Here {
  readonly moved: readonly MovedEvent[];
  readonly events: readonly QueuedEvent[];
}

/** The delivery of the event that is charged counts as a crash, and it lies outside of its page from then on. */
function withBlame(
  { clock }: RecoveryOptions,
  charged: number | undefined,
  { moved, events }: Here,
): Here & { readonly blamed: QueuedEvent | undefined } {
  const here = [...moved.map(({ event }) => event), ...events];
  const event = charged === undefined ? undefined : here.find(({ place }) => place === charged);
  if (event === undefined) return { moved, events, blamed: undefined };
  const chapter = {
    attempt: event.attempt - 1,
    at: new Date(clock.wallMs()).toISOString(),
    incarnation: 0,
    error: { code: 'cell_crashed' as const, message: 'The daemon died while the event was handled.' },
  };
  const blamed = { ...event, story: [...event.story, chapter] };
  return {
    moved: [...moved.filter((one) => one.event !== event), { event: blamed, retryAtMs: 0 }],
    events: events.filter((one) => one !== event),
    blamed,
  };
}

interface HeadParts {
  readonly record: QueueRecord;
  readonly done: Watermark;
  readonly upTo: number;
  /** What may be read into memory. */
  readonly room: number;
  readonly changes: Change[];
}

/** Everything up to the mark is read, and is written again with its next attempt. */
async function readHead(
  { pluginId, store, clock }: RecoveryOptions,
  { record, done, upTo, room, changes }: HeadParts,
): Promise<Pick<Recovered, 'events' | 'pages' | 'rest' | 'damaged'> & { readonly count: number }> {
  const events: QueuedEvent[] = [];
  const pages: StoredPage[] = [];
  let rest: { readonly from: number; readonly page: number } | undefined;
  let bytes = 0;
  let damaged = 0;
  let expected = done.through + 1;
  const missing = (to: number): void => {
    for (let place = expected; place < to; place += 1) {
      if (done.has(place)) continue;
      damaged += 1;
      done.done(place);
    }
  };
  reading: for await (const found of store.kept.pages({
    table: eventsTable,
    ...keysOf(pluginId),
    limit: pageEntries,
    maxBytes: Math.max(256 * 1024, Math.min(room, 2 * 1024 * 1024)),
  })) {
    for (const { key, value } of found.entries) {
      const first = numberInKey(key, placeInKey);
      if (bytes > room && first > upTo) {
        rest ??= { from: first, page: first };
        break reading;
      }
      const page = decodePage(Buffer.from(value).toString(), first, clock);
      missing(first);
      expected = first + page.length;
      pages.push({ first, last: expected - 1 });
      const again = page.map((event) =>
        (event.place ?? 0) <= upTo && !done.has(event.place ?? 0) ? { ...event, attempt: event.attempt + 1 } : event,
      );
      if (again.some((event, index) => event !== page[index]))
        changes.push(put(eventsTable, eventKey(pluginId, first), encodePage(again, clock)));
      for (const event of again) {
        const place = event.place ?? 0;
        if (done.has(place)) continue;
        if (rest !== undefined || bytes > room) {
          rest ??= { from: place, page: first };
          continue;
        }
        events.push(event);
        bytes += event.bytes;
      }
    }
  }
  if (rest === undefined) missing(record.next);
  const count = rest === undefined ? events.length : events.length + done.openBetween(rest.from, record.next);
  return { events, pages, rest, damaged, count };
}

/** The counters with which the books go on, events without an outcome included. */
export function countersOf({ record: { counters }, count, damaged }: Recovered): ServiceCounters {
  const { handled, failed, deadLettered, discarded } = counters;
  return {
    ...counters,
    enqueued: handled + failed + deadLettered + discarded + count + damaged,
    recovered: counters.recovered + count,
  };
}
