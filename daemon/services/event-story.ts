// The story of events as it goes out: from the trail what has ended, from queue and lane what is still on its way.
import type { EventRecord, OpenEvent } from '../../protocol/operations/telemetry.ts';
import type { Clock } from '../time/clock.ts';
import type { Books } from './books.ts';
import type { KeptQueue } from './durable/kept-queue.ts';
import type { EventTrail, TrailRecord } from './event-trail.ts';
import type { Intake } from './intake.ts';
import type { Lane } from '../dispatch/lane.ts';
import { type QueuedEvent, idsOf } from '../dispatch/queued-event.ts';

export interface EventStory {
  readonly events: EventRecord[];
  readonly forgotten: number;
  readonly open: OpenEvent[];
}

interface StoryParts {
  readonly clock: Clock;
  readonly books: Books;
  readonly intake: Intake;
  readonly lane: Lane | undefined;
}

/** `id`: of an event, or the correlation id that several share; absent: the newest events. */
export function eventStory(parts: StoryParts, id: string | undefined, limit: number): EventStory {
  const { trail } = parts.books;
  const records = id === undefined ? trail.newest(limit) : trail.of(id).slice(-limit);
  return {
    events: records.map((record) => asRecord(record, parts.clock)),
    forgotten: trail.forgotten,
    open: id === undefined ? [] : openEvents(parts, id, limit),
  };
}

/** Those of which only the disk knows, behind what is in memory. Rejects where the store does not work. */
export async function storedEvents(
  { clock, intake, lane }: Omit<StoryParts, 'books'>,
  kept: Pick<KeptQueue, 'find'>,
  id: string,
  limit: number,
): Promise<OpenEvent[]> {
  const found = await kept.find(id, limit);
  let inMemory = 0;
  for (const _ of inOrder(lane, intake)) inMemory += 1;
  return found.map(({ event, retryAtMs = 0, ahead }) => ({
    ...idsOf(event),
    acceptedAt: instant(event.acceptedMs, clock),
    attempt: event.attempt,
    state: retryAtMs > 0 ? ('retrying' as const) : ('queued' as const),
    retryAt: retryAtMs > 0 ? new Date(retryAtMs).toISOString() : null,
    ahead: inMemory + ahead,
    runningMs: null,
  }));
}

/** What the trail has recorded since so many had been made, as far as it is still there. */
export function attemptsSince(
  { trail, clock }: { readonly trail: EventTrail; readonly clock: Clock },
  made: number,
): { readonly made: number; readonly records: EventRecord[] } {
  const records = trail.newest(Math.max(0, trail.made - made));
  return { made: trail.made, records: records.map((record) => asRecord(record, clock)) };
}

function asRecord({ acceptedMs, atMs, handlerMs, head, ...record }: TrailRecord, clock: Clock): EventRecord {
  return {
    ...record,
    ...cameFrom(head),
    acceptedAt: instant(acceptedMs, clock),
    at: instant(atMs, clock),
    sinceAcceptedMs: millis(atMs - acceptedMs),
    handlerMs: handlerMs === undefined ? null : millis(handlerMs),
  };
}

/** Those that the cell has come first, then those that are queued. */
function openEvents({ clock, intake, lane }: StoryParts, id: string, limit: number): OpenEvent[] {
  const current = lane?.current();
  const found: OpenEvent[] = [];
  let ahead = 0;
  for (const event of inOrder(lane, intake)) {
    if (found.length >= limit) break;
    if (event.eventId === id || event.correlationId === id) {
      const beganMs = current?.event === event ? current.beganMs : undefined;
      const dueMs = intake.queue.dueMsOf(event);
      found.push({
        ...idsOf(event),
        ...cameFrom(event.head),
        acceptedAt: instant(event.acceptedMs, clock),
        attempt: event.attempt,
        state: dueMs !== undefined ? 'retrying' : beganMs === undefined ? 'queued' : 'inFlight',
        retryAt:
          dueMs === undefined
            ? null
            : new Date(clock.wallMs() + Math.max(0, dueMs - clock.monotonicMs())).toISOString(),
        ahead,
        runningMs: beganMs === undefined ? null : millis(clock.monotonicMs() - beganMs),
      });
    }
    ahead += 1;
  }
  return found;
}

const cameFrom = ({ source, ingress, kind }: TrailRecord['head']): TrailRecord['head'] => ({ source, ingress, kind });

function* inOrder(lane: Lane | undefined, { queue }: Intake): Generator<QueuedEvent, void> {
  yield* lane?.open() ?? [];
  yield* queue;
}

/** The clock that cells share knows no date: it is reckoned from the present one. */
const instant = (monotonicMs: number, clock: Clock): string =>
  new Date(clock.wallMs() - clock.elapsedMs(monotonicMs)).toISOString();

const millis = (ms: number): number => Math.max(0, Math.round(ms * 1000) / 1000);
