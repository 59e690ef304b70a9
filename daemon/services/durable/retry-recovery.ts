// Reads the events that come again of an earlier daemon's queue: those that are due first into memory, as far as its
// bound allows, and of the others where they lie and when they are due.
import { type Change, numberInKey, put } from '../../../protocol/store/change.ts';
import type { Store } from '../../store/store.ts';
import type { Clock } from '../../time/clock.ts';
import type { Mark } from './dispatch-mark.ts';
import { type MovedEvent, decodeMoved, encodeMoved } from './event-page.ts';
import { keysOf, movedTable } from './queue-record.ts';

const pageEntries = 256;
const placeInKey = 1;

interface RetrySource {
  readonly pluginId: string;
  readonly store: Store;
  readonly clock: Clock;
}

/** One that was left on disk. */
export interface StoredRetry {
  readonly place: number;
  readonly retryAtMs: number;
  readonly bytes: number;
}

export interface FoundRetries {
  readonly moved: MovedEvent[];
  /** Beyond the bound: those that are due last. */
  readonly later: StoredRetry[];
  readonly damaged: number;
}

/** What may have begun comes as another attempt, at once. */
export async function readRetries(
  { pluginId, store, clock }: RetrySource,
  residentBytes: number,
  mark: Mark | undefined,
  changes: Change[],
): Promise<FoundRetries> {
  let moved: MovedEvent[] = [];
  const later: StoredRetry[] = [];
  let bytes = 0;
  let damaged = 0;
  for await (const page of store.kept.pages({ table: movedTable, ...keysOf(pluginId), limit: pageEntries })) {
    damaged += page.damaged.length;
    for (const { key, value } of page.entries) {
      const place = numberInKey(key, placeInKey);
      const found = decodeMoved(Buffer.from(value).toString(), place, clock);
      if (found === undefined) continue;
      const begun = mark?.moved.get(place) ?? 0;
      const again = begun < found.event.attempt ? found : raised(found, begun + 1);
      if (again !== found) changes.push(put(movedTable, key, encodeMoved(again, clock)));
      moved.push(again);
      bytes += again.event.bytes;
    }
    if (bytes <= residentBytes) continue;
    moved.sort((one, other) => one.retryAtMs - other.retryAtMs || placeOf(one) - placeOf(other));
    let kept = moved.length;
    for (; kept > 1 && bytes > residentBytes; kept -= 1) {
      const { event, retryAtMs } = moved[kept - 1] as MovedEvent;
      later.push({ place: event.place ?? 0, retryAtMs, bytes: event.bytes });
      bytes -= event.bytes;
    }
    moved = moved.slice(0, kept);
  }
  return { moved, later, damaged };
}

const raised = ({ event }: MovedEvent, attempt: number): MovedEvent => ({ event: { ...event, attempt }, retryAtMs: 0 });
const placeOf = ({ event: { place = 0 } }: MovedEvent): number => place;
