// Publishes dead letters again. Each replay is another event, with an event id and attempts of its own, under the old
// correlation id. The letter is listed until that event has its outcome: it is gone once the event was handled, and
// replaced by the new letter if the event is lost again. In the store it goes back into a durable queue in one
// transaction, and stays a letter for a queue in memory, so that a daemon that dies in between loses nothing.
import { HostError } from '../../protocol/errors.ts';
import type { OperationResult } from '../../protocol/operations.ts';
import type { TimelineEntry } from '../../protocol/operations/telemetry.ts';
import type { Accepted, Refused } from './admitted.ts';
import type { DeadLetters } from './dead-letters.ts';
import type { Publication } from './intake.ts';
import type { Service } from './service.ts';

export interface ReplayParts {
  readonly service: Service;
  readonly deadLetters: DeadLetters;
  readonly timeline: { record(entry: Omit<TimelineEntry, 'sequence' | 'at'>): unknown };
}

type Results = OperationResult<'deadLetter.replay'>['results'];

/** Throws where one of them is not there, before anything is published. */
export async function replayLetters(
  { service, deadLetters, timeline }: ReplayParts,
  ids: readonly string[],
  edited?: { readonly payload: unknown },
): Promise<Results> {
  deadLetters.requireAll(ids);
  // An id that is given twice is meant once.
  const letters = [...new Set(ids)].map((id) => deadLetters.get(id));
  const stored = service.stores;
  const replayed = letters.map(async ({ id, event }): Promise<Results[number]> => {
    const running = deadLetters.replayingAs(id);
    if (running !== undefined) return { id, accepted: false, error: busy(id, running).toWire() };
    // Until it is known as which event: nobody else is to replay it meanwhile.
    deadLetters.replayBegan(id, eventIdOf(event));
    const changes = stored ? deadLetters.removalOf(id) : [];
    const answer = await publish(service, { ...asSent(event), ...edited }, { replayOf: id, changes }, (accepted) => {
      deadLetters.replayBegan(id, accepted.eventId);
      if (stored) deadLetters.moved(id);
    });
    if (!answer.accepted) {
      deadLetters.replayRefused(id);
      return { id, accepted: false, error: answer.error };
    }
    const { eventId, correlationId } = answer;
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
  return await Promise.all(replayed);
}

/** `began` is called before the event can have an outcome. */
function publish(
  service: Service,
  event: object,
  replay: Publication,
  began: (accepted: Accepted) => void,
): Promise<Accepted | Refused> | Accepted | Refused {
  const told = (answer: Accepted | Refused): Accepted | Refused => {
    if (answer.accepted) began(answer);
    return answer;
  };
  if (service.stores)
    return new Promise((resolve) => service.storeOne(event, (answer) => resolve(told(answer)), replay));
  const answer = service.publishOne(event, replay);
  return answer instanceof Promise ? answer.then(told) : told(answer);
}

const busy = (id: string, eventId: string): HostError =>
  new HostError(
    'dead_letter_busy',
    `The dead letter ${id} is being replayed as the event ${eventId}, which has no outcome yet.`,
    { id, eventId },
  );

const eventIdOf = ({ eventId }: Readonly<Record<string, unknown>>): string =>
  typeof eventId === 'string' ? eventId : 'that is being published';

/** What the host had added is left out. */
function asSent({
  attempt: _attempt,
  eventId: _eventId,
  ...sent
}: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return sent;
}
