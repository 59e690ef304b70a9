// The trail keeps the newest attempts, all of them right, whatever the order and however many there are.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EventTrail, trailOutcomes } from '../../daemon/services/event-trail.ts';
import type { QueuedEvent } from '../../daemon/dispatch/queued-event.ts';

const head = { ingress: 'work', kind: 'do', source: 'test', createdAt: '2026-01-01T00:00:00.000Z' };
const attempt = fc.record({
  id: fc.nat(8),
  outcome: fc.constantFrom(...trailOutcomes),
  attempt: fc.integer({ min: 1, max: 100 }),
  incarnation: fc.nat(1000),
  acceptedMs: fc.nat(1e6),
  tookMs: fc.nat(1e6),
  handlerMs: fc.option(fc.nat(1000), { nil: undefined }),
});

test('of any row of attempts the newest that fit are told, in order and unchanged, and the rest are counted', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.array(attempt, { maxLength: 50 }),
      fc.integer({ min: 1, max: 20 }),
      (capacity, attempts, asked) => {
        const trail = new EventTrail(capacity);
        const all = attempts.map((one) => {
          const event: QueuedEvent = {
            head,
            payload: '1',
            eventId: `e${String(one.id)}`,
            correlationId: `c${String(one.id % 3)}`,
            attempt: one.attempt,
            bytes: 0,
            acceptedMs: one.acceptedMs,
            story: [],
          };
          const atMs = one.acceptedMs + one.tookMs;
          trail.record(event, one.outcome, one.incarnation, atMs, one.handlerMs);
          return {
            eventId: event.eventId,
            correlationId: event.correlationId,
            head,
            outcome: one.outcome,
            attempt: one.attempt,
            incarnation: one.incarnation,
            acceptedMs: one.acceptedMs,
            atMs,
            handlerMs: one.handlerMs,
          };
        });
        const kept = all.slice(-capacity);
        assert.deepEqual(trail.newest(asked), kept.slice(-asked));
        assert.deepEqual(
          trail.of('e3'),
          kept.filter(({ eventId }) => eventId === 'e3'),
        );
        assert.deepEqual(
          trail.of('c1'),
          kept.filter(({ correlationId }) => correlationId === 'c1'),
        );
        assert.equal(trail.forgotten, all.length - kept.length);
      },
    ),
  );
});
