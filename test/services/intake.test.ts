// An intake alone: it decides by the state that was pushed to it last, and by its own books and queue.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HostError } from '../../protocol/errors.ts';
import { serviceSection } from '../../protocol/manifest.ts';
import { IngressQueue } from '../../daemon/dispatch/ingress-queue.ts';
import { WakeTurns } from '../../daemon/dispatch/wake-turns.ts';
import { neverStarted } from '../../daemon/services/admission-state.ts';
import { Books } from '../../daemon/services/books.ts';
import { EventTrail } from '../../daemon/services/event-trail.ts';
import { IdempotencyKeys } from '../../daemon/services/durable/idempotency-keys.ts';
import { Intake } from '../../daemon/services/intake.ts';
import { Retries } from '../../daemon/services/retries.ts';
import { Journal } from '../../daemon/services/journal.ts';
import { VirtualClock } from '../labs/virtual-clock.ts';

const event = { ingress: 'in', kind: 'do', payload: 1 };
const running = { ...neverStarted, lifecycle: 'running', accepts: true, dispatches: true, incarnation: 1 } as const;

function bench(): {
  readonly clock: VirtualClock;
  readonly intake: Intake;
  readonly books: Books;
  refusal(): HostError;
} {
  const clock = new VirtualClock();
  const section = serviceSection.parse({ ingresses: [{ name: 'in', kinds: ['do'] }], queue: { capacity: 2 } });
  const queue = new IngressQueue(section.queue);
  const books = new Books({ clock, trail: new EventTrail(8), account: { add: () => {} } });
  const journal = new Journal('sim', 8, clock, { timeline: () => {}, feed: () => {}, log: () => {} });
  const turn = new WakeTurns(clock, 1).join(queue);
  const intake = new Intake('sim', section, 1024, {
    clock,
    queue,
    turn,
    retries: new Retries({ queue, turn, clock }),
    books,
    journal,
    kept: undefined,
    keys: new IdempotencyKeys('sim', { dedupeMs: 1000, dedupeKeys: 10 }, clock),
  });
  const refusal = (): HostError => {
    try {
      intake.publish(event);
    } catch (error) {
      if (error instanceof HostError) return error;
    }
    throw new Error('it was not refused');
  };
  return { clock, intake, books, refusal };
}

test('an event is refused, accepted, and refused again as the state says that was pushed last', () => {
  const { intake, books, refusal } = bench();
  assert.equal(refusal().code, 'service_unavailable');
  intake.become(running);
  intake.publish(event);
  intake.become({ ...running, lifecycle: 'failed', accepts: false, gaveUp: 'it failed too often' });
  const { code, details } = refusal();
  assert.deepEqual([code, details['gaveUp']], ['service_failed', 'it failed too often']);
  intake.become({ ...running, lifecycle: 'stopped', accepts: false });
  assert.equal(refusal().code, 'service_stopped');
  assert.deepEqual(books.totals().rejected, { queueFull: 0, invalidEvent: 0, notAccepting: 3 });
  assert.equal(books.unaccounted(intake.queue.size), 0);
});

test('the event in flight takes no room of the queue, and a state that has none in flight counts it again', () => {
  const { intake, refusal } = bench();
  intake.become(running);
  for (let n = 0; n < 3; n += 1) intake.publish(event);
  assert.equal(intake.depth, 2);
  assert.equal(refusal().code, 'queue_full');
  intake.become({ ...running, lifecycle: 'failed', dispatches: false });
  assert.equal(intake.depth, 3);
});

test('a publisher that waits for room is told when the pushed state accepts no events any more', () => {
  const { clock, intake } = bench();
  intake.become(running);
  for (let n = 0; n < 3; n += 1) intake.publish(event);
  let told = 0;
  const stopWaiting = intake.awaitRoom(() => {
    told += 1;
    stopWaiting();
    return true;
  });
  intake.become(running);
  clock.drain();
  assert.equal(told, 0, 'there is no room, and the service still accepts');
  intake.become({ ...running, lifecycle: 'stopping', accepts: false });
  clock.drain();
  assert.equal(told, 1);
});
