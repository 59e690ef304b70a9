// Publishes dead letters again. Each replay is another event, with an event id and attempts of its own, under the old
// correlation id. The letter stays until that event has its outcome, so that a daemon that dies in between has lost
// nothing: it is gone once the event was handled, and replaced by the new letter if the event is lost again.
import { HostError } from '../../protocol/errors.ts';
import type { OperationResult } from '../../protocol/operations.ts';
import type { TimelineEntry } from '../../protocol/operations/telemetry.ts';
import type { DeadLetters } from './dead-letters.ts';
import type { Service } from './service.ts';

export interface ReplayParts {
  readonly service: Service;
  readonly deadLetters: DeadLetters;
  readonly timeline: { record(entry: Omit<TimelineEntry, 'sequence' | 'at'>): unknown };
}

type Results = OperationResult<'deadLetter.replay'>['results'];

/** Throws where one of them is not there, before anything is published. */
export function replayLetters(
  { service, deadLetters, timeline }: ReplayParts,
  ids: readonly string[],
  edited?: { readonly payload: unknown },
): Results {
  deadLetters.requireAll(ids);
  // An id that is given twice is meant once.
  const letters = [...new Set(ids)].map((id) => deadLetters.get(id));
  return letters.map(({ id, event }) => {
    const running = deadLetters.replayingAs(id);
    if (running !== undefined) return { id, accepted: false, error: busy(id, running).toWire() };
    const answer = service.publishOne({ ...asSent(event), ...edited }, id);
    if (!answer.accepted) return { id, accepted: false, error: answer.error };
    const { eventId, correlationId } = answer;
    deadLetters.replayBegan(id, eventId);
    const message =
      edited === undefined
        ? `The dead letter ${id} is published again.`
        : `The dead letter ${id} is published again with another payload.`;
    timeline.record({
      level: 'info',
      event: 'replayed',
      message,
      incarnation: service.incarnation,
      eventId,
      correlationId,
      data: { deadLetter: id },
    });
    return { id, accepted: true, eventId, correlationId };
  });
}

const busy = (id: string, eventId: string): HostError =>
  new HostError(
    'dead_letter_busy',
    `The dead letter ${id} is being replayed as the event ${eventId}, which has no outcome yet.`,
    { id, eventId },
  );

/** What the host had added is left out. */
function asSent({
  attempt: _attempt,
  eventId: _eventId,
  ...sent
}: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return sent;
}
