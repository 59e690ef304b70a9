import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IngressQueue } from '../../daemon/dispatch/ingress-queue.ts';
import type { QueuedEvent } from '../../daemon/dispatch/queued-event.ts';

const head = { ingress: 'work', kind: 'do', source: 'test', createdAt: '2026-01-01T00:00:00.000Z' };
const waiter = { handled() {}, refused() {} };
/** Every third has somebody who waits for it. */
const event = (n: number, bytes = 10): QueuedEvent => ({
  head,
  payload: String(n),
  eventId: String(n),
  correlationId: String(n),
  attempt: 1,
  bytes,
  acceptedMs: n,
  story: [],
  waiter: n % 3 === 0 ? waiter : undefined,
});
const ids = (events: readonly QueuedEvent[]): string[] => events.map(({ correlationId }) => correlationId);

test('events leave in the order they came, and what is given back leaves first', () => {
  const queue = new IngressQueue({ capacity: 10, maxBytes: 1000 });
  for (const n of [1, 2, 3, 4]) queue.push(event(n));
  const taken = queue.take(3, 1000);
  queue.push(event(5));
  queue.giveBack(taken.slice(1));
  assert.deepEqual(ids(queue.take(10, 1000)), ['2', '3', '4', '5']);
  assert.equal(queue.bytes, 0);
});

test('a batch keeps to its bytes, but one event always goes', () => {
  const queue = new IngressQueue({ capacity: 10, maxBytes: 1000 });
  for (const n of [1, 2, 3]) queue.push(event(n, 60));
  assert.deepEqual(ids(queue.take(3, 100)), ['1']);
  assert.deepEqual(ids(queue.take(3, 10)), ['2']);
  assert.deepEqual(ids(queue.take(3, 120)), ['3']);
});

test('any order of push, take, give back and remove behaves as a plain array does', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('push' as const), bytes: fc.integer({ min: 1, max: 50 }) }),
    fc.record({ do: fc.constant('take' as const), most: fc.integer({ min: 1, max: 2000 }) }),
    fc.record({ do: fc.constant('giveBack' as const) }),
    fc.record({ do: fc.constant('removeWhere' as const), modulo: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ do: fc.constant('many' as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new IngressQueue({ capacity: 1_000_000, maxBytes: 1_000_000 });
      let model: QueuedEvent[] = [];
      let taken: QueuedEvent[] = [];
      let next = 0;
      const push = (bytes: number): void => {
        const one = event(next++, bytes);
        queue.push(one);
        model.push(one);
      };
      for (const one of steps) {
        if (one.do === 'push') push(one.bytes);
        else if (one.do === 'many') for (let i = 0; i < 1500; i += 1) push(1);
        else if (one.do === 'take') {
          taken = queue.take(one.most, Infinity);
          assert.deepEqual(ids(taken), ids(model.slice(0, one.most)));
          model = model.slice(one.most);
        } else if (one.do === 'giveBack') {
          queue.giveBack(taken);
          model = [...taken, ...model];
          taken = [];
        } else {
          const which = ({ acceptedMs }: QueuedEvent): boolean => acceptedMs % one.modulo === 0;
          assert.deepEqual(ids(queue.removeWhere(which)), ids(model.filter(which)));
          model = model.filter((kept) => !which(kept));
        }
        assert.equal(queue.size, model.length);
        assert.equal(queue.oldest, model[0]);
        assert.equal(
          queue.bytes,
          model.reduce((sum, { bytes }) => sum + bytes, 0),
        );
        assert.equal(queue.awaited, model.filter(({ waiter }) => waiter !== undefined).length);
      }
    }),
    { numRuns: 200 },
  );
});
