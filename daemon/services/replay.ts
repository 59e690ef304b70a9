// Publishes dead letters again. Each replay is another event, with an event id and attempts of its own, under the old
// correlation id; once it is accepted, the letter is gone.
import type { OperationResult } from '../../protocol/operations.ts';
import type { TimelineEntry } from '../../protocol/operations/telemetry.ts';
import type { DeadLetters } from './dead-letters.ts';
import type { Service } from './service.ts';

export interface ReplayParts {
  readonly service: Service;
  readonly deadLetters: DeadLetters;
  readonly timeline: { record(entry: Omit<TimelineEntry, 'sequence' | 'at'>): unknown };
}

/** Throws where one of them is not there, before anything is published. */
export function replayLetters({ service, deadLetters, timeline }: ReplayParts, ids: readonly string[]): OperationResult<'deadLetter.replay'>['results'] {
  deadLetters.requireAll(ids);
  // An id that is given twice is meant once.
  const letters = [...new Set(ids)].map((id) => deadLetters.get(id));
  return letters.map(({ id, event }) => {
    const answer = service.publishOne(asSent(event), id);
    if (!answer.accepted) return { id, accepted: false, error: answer.error };
    const { eventId, correlationId } = answer;
    deadLetters.remove([id]);
    timeline.record({ level: 'info', event: 'replayed', message: `The dead letter ${id} is published again.`, incarnation: service.incarnation, eventId, correlationId, data: { deadLetter: id } });
    return { id, accepted: true, eventId, correlationId };
  });
}

/** What the host had added is left out. */
function asSent({ attempt: _attempt, eventId: _eventId, ...sent }: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return sent;
}
