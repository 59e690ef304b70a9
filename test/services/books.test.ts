// The books by themselves: the conservation equation after any order of what is told to them, also when they are closed
// and opened again with saved counters in between.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Books, type Outcome } from '../../daemon/services/books.ts';
import { EventTrail } from '../../daemon/services/event-trail.ts';
import type { QueuedEvent } from '../../daemon/dispatch/queued-event.ts';
import { VirtualClock } from '../labs/virtual-clock.ts';

type Told =
  | { readonly what: 'accepted' | 'rejected' | 'lost' | 'restarted' | 'reopened' }
  | { readonly what: 'settled'; readonly outcome: Outcome };

const told: fc.Arbitrary<Told> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ what: fc.constantFrom('accepted' as const, 'lost' as const, 'rejected' as const) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant('settled' as const),
      outcome: fc.constantFrom('handled' as const, 'failed' as const, 'deadLettered' as const, 'discarded' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constantFrom('restarted' as const, 'reopened' as const) }) },
);

const head = { ingress: 'work', kind: 'do', source: 'test', createdAt: '2026-01-01T00:00:00.000Z' };
const anEvent = (n: number): QueuedEvent => ({
  head,
  payload: '1',
  eventId: `e${String(n)}`,
  correlationId: `e${String(n)}`,
  attempt: 1,
  bytes: 1,
  acceptedMs: 0,
  story: [],
});

/** One service's events over several lives of its books. */
class Keeper {
  books: Books;
  /** What the loss account was told, in all. */
  atRisk = 0;
  readonly here: QueuedEvent[] = [];
  readonly clock = new VirtualClock();
  readonly seen = {
    accepted: 0,
    rejected: 0,
    lost: 0,
    restarted: 0,
    handled: 0,
    failed: 0,
    deadLettered: 0,
    discarded: 0,
  };
  attempts = 0;
  retries = 0;

  constructor() {
    this.books = this.#open();
  }

  take(next: Told): void {
    switch (next.what) {
      case 'accepted':
        this.here.push(anEvent(this.seen.accepted++));
        this.books.accepted();
        break;
      case 'rejected':
        this.seen.rejected += 1;
        this.books.rejected('queueFull');
        break;
      case 'lost':
        this.#lose();
        break;
      case 'settled':
        this.#settle(next.outcome);
        break;
      case 'restarted':
        this.seen.restarted += 1;
        this.books.restarted();
        break;
      case 'reopened':
        this.books = this.#open(this.books.totals());
        // What another daemon goes on with was kept on disk.
        this.here.splice(0, Infinity, ...this.here.map((event, index) => ({ ...event, place: index + 1 })));
    }
  }

  #open(saved?: ReturnType<Books['totals']>): Books {
    // Another daemon begins with an empty account.
    this.atRisk = 0;
    return new Books(
      { clock: this.clock, trail: new EventTrail(8), account: { add: (_field, delta) => (this.atRisk += delta) } },
      saved,
    );
  }

  #lose(): void {
    const event = this.here.shift();
    if (event === undefined) return;
    this.seen.lost += 1;
    this.#attempted(event);
    this.books.lost(event, 'crashed', 1);
    this.here.unshift({ ...event, attempt: event.attempt + 1 });
  }

  #settle(outcome: Outcome): void {
    const event = this.here.shift();
    if (event === undefined) return;
    this.seen[outcome] += 1;
    if (outcome === 'discarded') {
      this.books.discarded(event, 'service_stopped', 1);
      return;
    }
    this.#attempted(event);
    this.books.attempted(event);
    this.books.settled(event, outcome, 1);
  }

  #attempted({ attempt }: QueuedEvent): void {
    this.attempts += 1;
    if (attempt > 1) this.retries += 1;
  }
}

test('the books balance after everything that is told to them, and go on where saved counters left off', () => {
  fc.assert(
    fc.property(fc.array(told, { maxLength: 60 }), (steps) => {
      const keeper = new Keeper();
      for (const step of steps) {
        keeper.take(step);
        const { books, here, seen, atRisk } = keeper;
        assert.equal(books.unaccounted(here.length), 0);
        assert.equal(books.open, here.length);
        assert.equal(atRisk, here.filter(({ place }) => place === undefined).length);
        assert.deepEqual(books.totals(), {
          enqueued: seen.accepted,
          dispatched: keeper.attempts,
          timedOut: 0,
          crashed: seen.lost,
          threw: 0,
          retried: keeper.retries,
          handled: seen.handled,
          failed: seen.failed,
          deadLettered: seen.deadLettered,
          discarded: seen.discarded,
          restarts: seen.restarted,
          recovered: 0,
          duplicates: 0,
          rejected: { queueFull: seen.rejected, invalidEvent: 0, notAccepting: 0 },
        });
      }
    }),
  );
});

test('an event that vanishes, and one that is settled twice, are found by the check', () => {
  const keeper = new Keeper();
  keeper.take({ what: 'accepted' });
  keeper.take({ what: 'accepted' });
  assert.equal(keeper.books.unaccounted(1), 1);
  const [event] = keeper.here;
  assert.ok(event !== undefined);
  keeper.books.settled(event, 'handled', 1);
  keeper.books.settled(event, 'handled', 1);
  assert.equal(keeper.books.unaccounted(1), -1);
});

test('events that are executing are counted as attempts in the counters, and not in what is saved', () => {
  const { books } = new Keeper();
  books.accepted();
  assert.equal(books.counters([{ attempt: 2 }]).dispatched, 1);
  assert.equal(books.counters([{ attempt: 2 }]).retried, 1);
  assert.equal(books.totals().dispatched, 0);
});
