// What a service does with what its queue on disk tells: it queues what is stored, and goes on with what an earlier
// daemon had kept.
import type { IngressQueue } from '../../dispatch/ingress-queue.ts';
import type { QueuedEvent } from '../../dispatch/queued-event.ts';
import type { WakeTurn } from '../../dispatch/wake-turns.ts';
import { plural } from '../../../protocol/plural.ts';
import type { Clock } from '../../time/clock.ts';
import type { Books } from '../books.ts';
import type { Intake } from '../intake.ts';
import type { Journal } from '../journal.ts';
import type { Retries } from '../retries.ts';
import type { KeptOwner } from './kept-contract.ts';
import { type MovedEvent, remainingMs } from './event-page.ts';
import type { Recovered } from './queue-recovery.ts';

export interface OwnerParts {
  readonly queue: IngressQueue;
  readonly books: Books;
  readonly intake: Intake;
  readonly journal: Journal;
  readonly retries: Retries;
  readonly turn: WakeTurn;
  readonly clock: Clock;
  /** `retry.order` is "hold". */
  readonly holds: boolean;
  readonly maxAttempts: number;
  /** Its attempts are used up: it becomes a dead letter. */
  bury(event: QueuedEvent): void;
}

export function keptOwner({
  queue,
  books,
  intake,
  journal,
  retries,
  turn,
  clock,
  holds,
  maxAttempts,
  bury,
}: OwnerParts): KeptOwner {
  const comesAgain = (moved: readonly MovedEvent[], events: readonly QueuedEvent[] = []): void => {
    const due: QueuedEvent[] = [];
    const nowMs = clock.wallMs();
    for (const { event, retryAtMs } of moved) {
      const delayMs = remainingMs({ event, retryAtMs }, nowMs);
      if (delayMs > 0) retries.wait(event, delayMs, holds);
      else due.push(event);
    }
    due.sort((one, other) => (one.place ?? 0) - (other.place ?? 0));
    const usedUp = due.filter(({ story }) => story.length >= maxAttempts);
    queue.giveBack([...due.filter((event) => !usedUp.includes(event)), ...events]);
    for (const event of usedUp) bury(event);
  };
  const queueRecovered = ({ moved, events, count }: Recovered): void => {
    comesAgain(moved, events);
    if (count > 0)
      journal.told(
        'info',
        'recovered',
        `${plural(count, 'event')} of before the start of this daemon ${count === 1 ? 'is' : 'are'} in the queue.`,
        0,
        { count },
      );
  };
  return {
    queue,
    totals: () => books.kept(),
    accepted: () => intake.stored(),
    follows: (event, after) => intake.follows(event, after),
    comesAgain: (moved) => comesAgain(moved),
    recovered: (counters, found) => {
      books.goOn(counters);
      queueRecovered(found);
    },
    wake: () => {
      if (queue.awaited > 0) turn.hurry();
      else if (queue.ready > 0) turn.ask();
      intake.roomFreed();
    },
    damaged: (count) => {
      books.discardedUnseen(count, 'damaged');
      journal.told(
        'error',
        'damaged',
        `${plural(count, 'event')} of the queue ${count === 1 ? 'is' : 'are'} damaged on disk and lost.`,
        0,
        { count },
      );
    },
  };
}
