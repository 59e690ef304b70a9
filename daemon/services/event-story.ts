// The story of events as it goes out: from the trail what has ended, from queue and lane what is still on its way.
import type { EventRecord, OpenEvent } from '../../protocol/operations/telemetry.ts';
import type { Clock } from '../time/clock.ts';
import type { TrailRecord } from './event-trail.ts';
import type { Intake } from './intake.ts';
import type { Lane } from '../dispatch/lane.ts';
import type { QueuedEvent } from '../dispatch/queued-event.ts';

export interface EventStory {
  readonly events: EventRecord[];
  readonly forgotten: number;
  readonly open: OpenEvent | null;
}

interface StoryParts {
  readonly clock: Clock;
  readonly intake: Intake;
  readonly lane: Lane | undefined;
}

export function eventStory(parts: StoryParts, correlationId: string | undefined, limit: number): EventStory {
  const { trail } = parts.intake;
  const records = correlationId === undefined ? trail.newest(limit) : trail.of(correlationId).slice(-limit);
  return {
    events: records.map((record) => asRecord(record, parts.clock)),
    forgotten: trail.forgotten,
    open: correlationId === undefined ? null : openEvent(parts, correlationId),
  };
}

function asRecord({ acceptedMs, atMs, handlerMs, ...record }: TrailRecord, clock: Clock): EventRecord {
  return { ...record, acceptedAt: instant(acceptedMs, clock), at: instant(atMs, clock), sinceAcceptedMs: millis(atMs - acceptedMs), handlerMs: handlerMs === undefined ? null : millis(handlerMs) };
}

function openEvent({ clock, intake, lane }: StoryParts, correlationId: string): OpenEvent | null {
  const taken = lane?.open() ?? [];
  const at = taken.findIndex((event) => event.correlationId === correlationId);
  const queued = at === -1 ? intake.queue.find(correlationId) : undefined;
  const event: QueuedEvent | undefined = taken[at] ?? queued?.event;
  if (event === undefined) return null;
  const current = lane?.current();
  const beganMs = current?.event === event ? current.beganMs : undefined;
  return {
    acceptedAt: instant(event.acceptedMs, clock),
    attempt: event.attempt,
    state: beganMs === undefined ? 'queued' : 'inFlight',
    ahead: at === -1 ? taken.length + (queued?.ahead ?? 0) : at,
    runningMs: beganMs === undefined ? null : millis(clock.monotonicMs() - beganMs),
  };
}

/** The clock that cells share knows no date: it is reckoned from the present one. */
const instant = (monotonicMs: number, clock: Clock): string => new Date(clock.wallMs() - clock.elapsedMs(monotonicMs)).toISOString();

const millis = (ms: number): number => Math.max(0, Math.round(ms * 1000) / 1000);
