// What the store says of one durable queue beside its events: one value that is written with every commit, so that it
// always fits the pages that lie beside it.
import { type Change, keysUnder, put, storeKey } from '../../../protocol/store/change.ts';
import { type ServiceCounters, serviceCounters } from '../../../protocol/status.ts';
import type { PlaceRange } from './watermark.ts';

export const recordTable = 'queues';
export const eventsTable = 'events';
/** Events that were moved out of their pages, because they come again. */
export const movedTable = 'tries';

export interface QueueRecord {
  /** Of the commit that wrote it. */
  readonly serial: number;
  /** Raised by each recovery of events: a dispatch mark of an earlier one is void. */
  readonly generation: number;
  readonly through: number;
  readonly ahead: readonly PlaceRange[];
  /** The place of the next event. */
  readonly next: number;
  /** Of all events that are kept. */
  readonly bytes: number;
  readonly counters: ServiceCounters;
  /** Events that may have taken a daemon down, and have no outcome yet. */
  readonly suspects?: readonly number[];
}

export const emptyRecord = (counters: ServiceCounters, generation: number): QueueRecord => ({
  serial: 0,
  generation,
  through: 0,
  ahead: [],
  next: 1,
  bytes: 0,
  counters,
});

export const recordKey = (pluginId: string): string => storeKey(pluginId);

export const recordChange = (pluginId: string, record: QueueRecord): Change =>
  put(recordTable, recordKey(pluginId), JSON.stringify(record));

/** Counters that an earlier version did not count are 0. */
export function parseRecord(text: string, nothing: ServiceCounters): QueueRecord {
  const record = JSON.parse(text) as QueueRecord;
  const counters = serviceCounters.safeParse({
    ...nothing,
    ...record.counters,
    rejected: { ...nothing.rejected, ...record.counters.rejected },
  });
  return { ...record, counters: counters.success ? counters.data : nothing };
}

export const eventKey = (pluginId: string, place: number): string => storeKey(pluginId, place);
export const keysOf = (pluginId: string): { readonly from: string; readonly to: string } => keysUnder(pluginId);
