// Where more services are busy than can run at once, their cells are woken in turn: never more at once than may, in the
// order of asking, nobody forgotten, and no turn longer than its bound, whatever a cell does.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type WakeTurn, WakeTurns } from '../../daemon/dispatch/wake-turns.ts';
import { VirtualClock } from '../labs/virtual-clock.ts';

const most = 3;
const longestMs = 2;
const lookMs = 1;

/** A service whose cell says something after each batch, or never does. */
class Busy {
  readonly turn: WakeTurn;
  queued = 0;
  awaited = 0;
  sent = 0;
  askedMs: number | undefined;
  longestWaitMs = 0;
  readonly #turns: WakeTurns;
  readonly #clock: VirtualClock;

  constructor(turns: WakeTurns, clock: VirtualClock, begins: () => void) {
    this.#turns = turns;
    this.#clock = clock;
    const queue = { ready: 0, awaited: 0 };
    Object.defineProperties(queue, { ready: { get: () => this.queued }, awaited: { get: () => this.awaited } });
    this.turn = turns.join(queue);
    this.turn.feed({
      pump: () => {
        const count = this.queued;
        this.sent += count;
        this.queued = 0;
        if (this.askedMs !== undefined)
          this.longestWaitMs = Math.max(this.longestWaitMs, clock.monotonicMs() - this.askedMs);
        this.askedMs = undefined;
        if (count > 0) begins();
        return count > 0;
      },
    });
  }

  accept(): void {
    this.queued += 1;
    this.askedMs ??= this.#clock.monotonicMs();
    this.turn.ask();
  }

  tell(): void {
    const { contended } = this.#turns;
    if (!this.turn.mayGoOn() || this.queued === 0) return;
    assert.ok(!contended, 'it goes on although others wait');
    this.turn.take();
  }
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ does: fc.constant('accept' as const), which: fc.nat(11) }) },
  { weight: 4, arbitrary: fc.record({ does: fc.constant('tell' as const), which: fc.nat(11) }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('wait' as const), ms: fc.nat(4) }) },
);

test('whatever cells do, each service has its turn within the time all others before it may take', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const clock = new VirtualClock();
      const turns = new WakeTurns(clock, most);
      const services = Array.from({ length: 12 }, () => new Busy(turns, clock, () => undefined));
      let accepted = 0;
      for (const one of steps) {
        if (one.does === 'wait') {
          clock.advance(one.ms);
          continue;
        }
        const service = services[one.which];
        if (one.does === 'accept') {
          service?.accept();
          accepted += 1;
        } else {
          service?.tell();
        }
        clock.drain();
      }
      clock.advance((services.length / most + 1) * (longestMs + lookMs));
      assert.equal(
        services.reduce((sum, { sent }) => sum + sent, 0),
        accepted,
      );
      const bound = Math.ceil(services.length / most) * (longestMs + lookMs);
      for (const { longestWaitMs } of services)
        assert.ok(longestWaitMs <= bound, `one waited ${String(longestWaitMs)} ms`);
      clock.advance(longestMs + lookMs);
      assert.equal(clock.pendingTimers, 0);
    }),
    { numRuns: 500 },
  );
});

test('no more begin than may run at once, the next when one has told, in the order of asking', () => {
  const clock = new VirtualClock();
  const turns = new WakeTurns(clock, most);
  const begun: number[] = [];
  const services = Array.from({ length: 7 }, (_, at) => new Busy(turns, clock, () => begun.push(at)));
  for (const service of services) service.accept();
  clock.drain();
  assert.deepEqual(begun, [0, 1, 2]);
  services[1]?.tell();
  clock.drain();
  assert.deepEqual(begun, [0, 1, 2, 3]);
  services[0]?.accept();
  services[0]?.tell();
  clock.drain();
  assert.deepEqual(begun, [0, 1, 2, 3, 4], 'whoever has had its turn comes after those who wait');
  clock.advance(longestMs + lookMs);
  assert.deepEqual(begun, [0, 1, 2, 3, 4, 5, 6, 0], 'turns that nobody gives back end by themselves');
});

test('what comes while others wait gathers for one turn; where nobody waits it goes out at once', () => {
  const clock = new VirtualClock();
  const turns = new WakeTurns(clock, most);
  const begun: number[] = [];
  const services = Array.from({ length: 5 }, (_, at) => new Busy(turns, clock, () => begun.push(at)));
  const [first] = services;
  for (let n = 0; n < 3; n += 1) {
    first?.accept();
    clock.drain();
  }
  assert.deepEqual(begun, [0, 0, 0]);
  for (const service of services.slice(1)) service.accept();
  clock.drain();
  for (let n = 0; n < 20; n += 1) {
    services[3]?.accept();
    first?.accept();
    clock.drain();
  }
  assert.deepEqual(begun, [0, 0, 0, 1, 2]);
  assert.equal(services[3]?.queued, 21);
  for (const service of services.slice(0, 3)) service.tell();
  clock.drain();
  assert.deepEqual(begun, [0, 0, 0, 1, 2, 3, 4, 0]);
  assert.equal(services[3]?.sent, 21);
  assert.equal(first?.sent, 23);
});

test('an event that somebody waits for is handed over with its turn of the host, however many services wait', () => {
  const clock = new VirtualClock();
  const turns = new WakeTurns(clock, 1);
  const begun: number[] = [];
  const services = Array.from({ length: 3 }, (_, at) => new Busy(turns, clock, () => begun.push(at)));
  for (const service of services) service.accept();
  clock.drain();
  assert.deepEqual(begun, [0]);
  const [, , last] = services;
  assert.ok(last !== undefined && turns.contended);
  last.awaited = 1;
  last.turn.hurry();
  last.turn.hurry();
  clock.drain();
  assert.deepEqual(begun, [0, 2]);
  last.queued = 1;
  assert.ok(last.turn.mayGoOn(), 'a lane with an awaited event does not wait for its turn');
  last.awaited = 0;
  assert.ok(!last.turn.mayGoOn(), 'a lane without one does');
});

test('what is asked for before a lane is there is handed over when it comes, and a lane that has left gets nothing', () => {
  const clock = new VirtualClock();
  const turn = new WakeTurns(clock, 1).join({ ready: 1, awaited: 1 });
  const pumped: string[] = [];
  const lane = (name: string): { pump(): boolean } => ({ pump: () => pumped.push(name) > 0 });
  turn.ask();
  turn.hurry();
  clock.drain();
  const first = lane('first');
  turn.feed(first);
  assert.deepEqual(pumped, ['first']);
  turn.feed(lane('second'));
  turn.leave(first);
  turn.hurry();
  clock.drain();
  assert.deepEqual(pumped, ['first', 'second', 'second']);
});
