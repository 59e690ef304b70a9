// The service's promises under any order of what can happen to it: order, one at a time, and no event lost or counted
// twice. On a virtual clock with a simulated cell, so that thousands of histories run in seconds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HostError } from '../../protocol/errors.ts';
import { EncodedJson } from '../../protocol/json-rpc.ts';
import type { ServiceStatus } from '../../protocol/status.ts';
import { limits } from '../../daemon/config/schema.ts';
import { KeptState } from '../../daemon/dispatch/kept-state.ts';
import { DeadLetters } from '../../daemon/services/dead-letters.ts';
import { Service } from '../../daemon/services/service.ts';
import { WakeTurns } from '../../daemon/dispatch/wake-turns.ts';
import type { ServicePlan } from '../../daemon/dispatch/service-plan.ts';
import { type Deed, SimulatedCell } from '../labs/simulated-cell.ts';
import { simulatedPlan } from '../labs/simulated-plan.ts';
import { VirtualClock } from '../labs/virtual-clock.ts';

type Step =
  | { readonly do: 'publish' | 'deliver'; readonly deed: Omit<Deed, 'n'>; readonly count: number }
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: 'start' | 'stop' | 'stopNow' | 'stopDiscard' | 'restart' | 'crash' | 'reload' | 'retire' | 'end' };

const deed = fc.record({
  does: fc.oneof(
    { weight: 12, arbitrary: fc.constant('return' as const) },
    {
      weight: 2,
      arbitrary: fc.constantFrom('throw' as const, 'flaky' as const, 'flaky' as const, 'permanent' as const),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        'hang' as const,
        'obey' as const,
        'native' as const,
        'exit' as const,
        'stray' as const,
      ),
    },
  ),
  ms: fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 0, max: 3 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 150 }) },
  ),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('publish' as const, 'deliver' as const),
      deed,
      count: fc.integer({ min: 1, max: 40 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('advance' as const),
      ms: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 2500 })),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('start' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'stop' as const,
        'stopNow' as const,
        'stopDiscard' as const,
        'restart' as const,
        'crash' as const,
        'reload' as const,
      ),
    }),
  },
);

/** What has no way back: an unloading, and the end of the daemon. */
const last: fc.Arbitrary<Step[]> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Step[]>([]) },
  {
    weight: 1,
    arbitrary: fc.array(
      fc.oneof(
        { weight: 2, arbitrary: step },
        { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('retire' as const, 'end' as const) }) },
      ),
      { minLength: 1, maxLength: 8 },
    ),
  },
);

const handleMs = 100;
const capacity = 50;
const maxAttempts = 2;

class History {
  readonly clock = new VirtualClock();
  readonly service: Service;
  readonly began: number[] = [];
  /** Those that begin in the order in which they came: under "yield" an event that has thrown may be overtaken. */
  readonly beganInOrder: number[] = [];
  readonly haveThrown = new Set<number>();
  readonly #order: 'yield' | 'hold';
  readonly withdrawn = new Set<number>();
  /** How often each event has begun, and how often a stop cut it off, by its correlation id. */
  readonly begins = new Map<string, number>();
  readonly cutOffs = new Map<string, number>();
  readonly outcomes = new Map<number, string>();
  /** What really happened inside the cells, to hold the books against. */
  readonly truth = { returned: 0, threw: 0 };
  executing: { deed: Deed; cell: SimulatedCell } | undefined;
  cell: SimulatedCell | undefined;
  readonly cells: SimulatedCell[] = [];
  readonly state = new KeptState();
  readonly deadLetters = new DeadLetters({ deadLetters: 1_000_000, deadLetterBytes: 1e12 });
  readonly #plan: ServicePlan;
  #next = 0;
  readonly #latencies: readonly number[];
  readonly #starts: readonly ('run' | 'throw' | 'hang')[];
  #asked = 0;
  #lifecycle = 'ready';
  #started = 0;

  constructor(latencies: readonly number[], starts: readonly ('run' | 'throw' | 'hang')[], order: 'yield' | 'hold') {
    this.#order = order;
    this.#latencies = latencies;
    this.#starts = starts;
    this.#plan = simulatedPlan({
      queue: { capacity },
      timeouts: { startMs: 500, handleMs, statusMs: 50, stopMs: 400 },
      retry: { maxAttempts, backoffMs: [20, 200], order },
      restart: { policy: 'on-failure', intensity: 3, periodMs: 2000, backoffMs: [10, 300] },
    });
    this.service = new Service(this.#plan, {
      clock: this.clock,
      random: () => 0.5,
      state: this.state,
      deadLetters: this.deadLetters,
      wakes: new WakeTurns(this.clock, 2),
      spawnCell: (_spec, listener) => {
        this.cell = new SimulatedCell(
          {
            clock: this.clock,
            latencyMs: () => this.#latencies[this.#asked++ % this.#latencies.length] ?? 0,
            pauseMs: () => (this.#latencies[this.#asked++ % this.#latencies.length] ?? 0) % 3,
            // Those laid in shared memory and those that are messages overtake each other.
            nextWay: () =>
              (['message', 'ring', 'bytes', 'ring', 'ring'] as const)[
                (this.#latencies[this.#asked++ % this.#latencies.length] ?? 0) % 5
              ] ?? 'ring',
            startAs: () => this.#starts[this.#started++ % this.#starts.length] ?? 'run',
            began: (begun, cell) => {
              this.balanced();
              assert.ok(this.executing === undefined || this.executing.cell.dead, 'two events execute at once');
              this.executing = { deed: begun, cell };
              assert.ok(!this.withdrawn.has(begun.n), 'an event began that its caller was told is withdrawn');
              this.began.push(begun.n);
              if (this.#order === 'hold' || !this.haveThrown.has(begun.n)) this.beganInOrder.push(begun.n);
              countIn(this.begins, idOf(begun.n));
            },
            ended: ({ n, does }, cell) => {
              this.balanced();
              if (this.executing?.cell === cell) this.executing = undefined;
              if (does === 'return' || does === 'stray') this.truth.returned += 1;
              if (does !== 'throw' && does !== 'permanent') return;
              this.truth.threw += 1;
              this.haveThrown.add(n);
            },
          },
          listener,
        );
        this.cells.push(this.cell);
        return this.cell;
      },
      limits: limits.parse({}),
      redact: (text) => text,
      outlets: {
        timeline: ({ event, correlationId, data }) => {
          if (event === 'cut_off') countIn(this.cutOffs, correlationId ?? '');
          if (typeof data?.['from'] === 'string') this.#passed(data['from'], String(data['to']));
        },
        feed: () => {},
        log: () => {},
      },
      cellLog: {
        log: () => {},
        logDropped: () => {},
        counts: () => ({ lines: 0, bytes: 0, droppedLines: 0, droppedBytes: 0 }),
      },
    });
  }

  /** What is told of the lifecycle is one way without gaps, and never a change into the same. */
  #passed(from: string, to: string): void {
    assert.equal(from, this.#lifecycle, 'a transition begins where the one before did not end');
    assert.notEqual(from, to);
    this.#lifecycle = to;
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const next of steps) {
      this.#take(next);
      await this.#settle();
      this.check(this.service.status());
    }
  }

  #take(next: Step): void {
    switch (next.do) {
      case 'publish':
      case 'deliver':
        for (let i = 0; i < next.count; i += 1) this.#send(next.do, { ...next.deed, n: this.#next++ });
        break;
      case 'advance':
        this.clock.advance(next.ms);
        break;
      case 'start':
        this.service.start().catch(expected);
        break;
      case 'stop':
      case 'stopNow':
      case 'stopDiscard':
        void this.service.stop({ now: next.do === 'stopNow', discard: next.do === 'stopDiscard' });
        break;
      case 'restart':
        this.service.restart().catch(expected);
        break;
      case 'reload':
        this.service.reload(this.#plan).catch(expected);
        break;
      case 'retire':
        this.service.retire();
        break;
      case 'end':
        // As the end of the daemon does when its time is over.
        this.service.retire();
        this.service.end();
        void this.service.stopForGood({ now: true });
        break;
      case 'crash':
        this.cell?.crash();
    }
  }

  #send(how: 'publish' | 'deliver', payload: Deed): void {
    const event = { ingress: 'in', kind: 'do', payload, correlationId: idOf(payload.n) };
    const settle = (outcome: string) => (): void => {
      assert.ok(!this.outcomes.has(payload.n), 'an event was answered twice');
      this.outcomes.set(payload.n, outcome);
    };
    if (how === 'deliver') {
      // Some callers wait for less than others are handled in.
      this.service.deliver(event, payload.n % 3 === 0 ? 20 : 5000).then(
        (handled) => {
          assert.equal(
            new EncodedJson('', handled.json).text.trimStart(),
            String(payload.n),
            'an answer of another event',
          );
          settle('handled')();
        },
        (error: unknown) => {
          const { code, details } = error as HostError;
          if (details['withdrawn'] === true) this.withdrawn.add(payload.n);
          settle(code)();
        },
      );
      return;
    }
    try {
      void this.service.publish(event);
    } catch (error) {
      expected(error);
    }
  }

  /** Promises of the host run between the steps of the virtual clock. */
  async #settle(): Promise<void> {
    for (let turn = 0; turn < 3; turn += 1) {
      this.clock.drain();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** By what queue and lane really hold, not by what the status says of them. */
  balanced(): void {
    assert.equal(this.service.unaccounted, 0, 'an event vanished or was counted twice');
  }

  check({ counters, queue, retrying, inFlight, lifecycle }: ServiceStatus): void {
    assert.equal(retrying.nextAt === null, retrying.count === 0);
    assert.ok(retrying.count <= queue.depth, 'an event waits for its retry and is not queued');
    assert.equal(lifecycle, this.#lifecycle, 'the status shows another lifecycle than was told');
    this.balanced();
    const { count = 0 } = JSON.parse(this.state.text()) as { readonly count?: number };
    assert.equal(count, counters.handled, 'ctx.state does not have what exactly the handled events have changed');
    const settled = counters.handled + counters.failed + counters.deadLettered + counters.discarded;
    assert.equal(
      counters.enqueued,
      settled + queue.depth + (inFlight === null ? 0 : 1),
      `conservation broke in ${lifecycle}`,
    );
    assert.ok(
      counters.dispatched >= counters.handled + (inFlight === null ? 0 : 1),
      `an event is in flight that is not counted as dispatched, in ${lifecycle}`,
    );
    assert.ok(queue.depth <= capacity + 1, `the queue grew to ${String(queue.depth)}`);
    assert.ok(
      this.beganInOrder.every((n, i) => n >= (this.beganInOrder[i - 1] ?? -1)),
      'events began out of order',
    );
    for (const [id, begins] of this.begins)
      assert.ok(begins <= maxAttempts + (this.cutOffs.get(id) ?? 0), `${id} began more often than it may`);
  }

  /** Lets everything come to its end: nothing may stay open. */
  async finish(): Promise<void> {
    for (let round = 0; round < 20; round += 1) {
      this.clock.advance(1000);
      await this.#settle();
    }
    const { lifecycle, cell } = this.service.status();
    assert.ok(lifecycle !== 'running' || cell !== null, 'a service runs without a cell');
    void this.service.stop({ now: true });
    await this.#settle();
    for (let round = 0; round < 10; round += 1) {
      this.clock.advance(1000);
      await this.#settle();
    }
    this.check(this.service.status());
    await this.service.stopForGood();
    const status = this.service.status();
    this.check(status);
    assert.equal(status.counters.dispatched, this.began.length, 'attempts that began are not those that were counted');
    assert.ok(status.lifecycle !== 'starting' && status.lifecycle !== 'stopping', `left ${status.lifecycle}`);
    assert.equal(status.queue.depth, 0);
    assert.equal(status.restart?.pending ?? false, false);
    assert.equal(this.clock.pendingTimers, 0, 'a timer was left behind');
    assert.ok(
      this.cells.every(({ dead }) => dead),
      'a cell was left behind',
    );
    const { handled, failed, threw, timedOut, crashed } = status.counters;
    const cutOffs = [...this.cutOffs.values()].reduce((sum, count) => sum + count, 0);
    assert.ok(handled <= this.truth.returned, 'an event that did not return was counted as handled');
    assert.ok(handled >= this.truth.returned - timedOut, 'a handled event was not counted as such');
    // One that throws while a stop aborts it comes again, or its caller is told of the stop.
    const stops = cutOffs + status.counters.discarded;
    assert.ok(
      failed + threw <= this.truth.threw && failed + threw >= this.truth.threw - timedOut - stops,
      'the failures are not those that happened',
    );
    assert.equal(this.deadLetters.counts.count, status.counters.deadLettered);
    assert.ok(
      status.counters.retried + status.counters.deadLettered <= timedOut + crashed + threw + cutOffs,
      'more second chances than losses',
    );
    for (const { reason, attempts } of this.deadLetters.ids().map((id) => this.deadLetters.get(id))) {
      if (reason !== 'permanent') assert.equal(attempts.length, maxAttempts, 'a dead letter without its whole story');
    }
    const delivered = [...this.outcomes.values()].filter((outcome) => outcome === 'handled').length;
    assert.ok(delivered <= status.counters.handled, 'an event answered as handled was not counted so');
  }
}

const idOf = (n: number): string => `event-${String(n)}`;

function countIn(counts: Map<string, number>, id: string): void {
  counts.set(id, (counts.get(id) ?? 0) + 1);
}

function expected(error: unknown): void {
  if (!(error instanceof HostError) || error.code === 'internal') throw error;
}

/** Histories that once broke something. */
const boundaryHistories: [Step[], number[], ('run' | 'throw' | 'hang')[], Step[], 'yield' | 'hold'][] = [
  [
    [
      { do: 'publish', deed: { does: 'return', ms: 100 }, count: 1 },
      { do: 'stop' },
      { do: 'advance', ms: 96 },
      { do: 'advance', ms: 4 },
      { do: 'start' },
      { do: 'publish', deed: { does: 'return', ms: 0 }, count: 1 },
    ],
    [0],
    ['run'],
    [],
    'yield',
  ],
  [
    [
      { do: 'publish', deed: { does: 'return', ms: 100 }, count: 2 },
      { do: 'advance', ms: 99 },
      { do: 'advance', ms: 1 },
      { do: 'start' },
      { do: 'start' },
    ],
    [0],
    ['run'],
    [],
    'yield',
  ],
];

test('any order of publish, deliver, throw, crash, timeout, stop, start, reload, unload and end keeps order, seriality and conservation', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 3, maxLength: 40 }),
      fc.array(
        fc.oneof(
          { weight: 6, arbitrary: fc.integer({ min: 0, max: 4 }) },
          { weight: 1, arbitrary: fc.integer({ min: 50, max: 250 }) },
        ),
        { minLength: 1, maxLength: 7 },
      ),
      fc.array(
        fc.oneof(
          { weight: 6, arbitrary: fc.constant('run' as const) },
          { weight: 1, arbitrary: fc.constantFrom('throw' as const, 'hang' as const) },
        ),
        { minLength: 1, maxLength: 5 },
      ),
      last,
      fc.constantFrom('yield' as const, 'hold' as const),
      async (steps, latencies, starts, ending, order) => {
        const history = new History(latencies, starts, order);
        await history.run([{ do: 'start' }, { do: 'advance', ms: 5 }, ...steps, ...ending]);
        await history.finish();
      },
    ),
    {
      numRuns: Number(process.env['NAGAYA_PROPERTY_RUNS'] ?? 300),
      examples: boundaryHistories,
      includeErrorInReport: true,
    },
  );
});
