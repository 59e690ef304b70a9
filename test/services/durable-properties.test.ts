// The promises of a durable service, whatever fails between any two steps: accept, commit, dispatch, settle, commit.
// Daemons die and come back on the same simulated disk; commits fail for want of room, with errors of the disk, and
// with the storekeeper; cells crash; handlers throw. Afterwards nothing that was answered as accepted is missing.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits as limitsSchema } from '../../daemon/config/schema.ts';
import { KeptState } from '../../daemon/dispatch/kept-state.ts';
import { WakeTurns } from '../../daemon/dispatch/wake-turns.ts';
import { DeadLetters } from '../../daemon/services/dead-letters.ts';
import { KeptQueue } from '../../daemon/services/durable/kept-queue.ts';
import { Service } from '../../daemon/services/service.ts';
import { Store } from '../../daemon/store/store.ts';
import { type Deed, SimulatedCell } from '../labs/simulated-cell.ts';
import { simulatedPlan } from '../labs/simulated-plan.ts';
import { SimulatedDisk, type Step as DiskStep, simulatedKeeper } from '../labs/simulated-store.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { VirtualClock } from '../labs/virtual-clock.ts';

type Step =
  | { readonly do: 'publish'; readonly count: number; readonly does: Deed['does']; readonly keyed: boolean }
  | { readonly do: 'deliver' | 'again' | 'crash' | 'kill' | 'stop' | 'stopNow' | 'start' | 'shutdown' }
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: 'disk'; readonly step: DiskStep };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('publish' as const),
      count: fc.integer({ min: 1, max: 20 }),
      does: fc.constantFrom<Deed['does']>('return', 'return', 'return', 'throw', 'flaky', 'permanent', 'exit', 'hang'),
      keyed: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('advance' as const),
      ms: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 3000 })),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('deliver' as const, 'again' as const, 'crash' as const, 'stop' as const, 'stopNow' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('kill' as const, 'kill' as const, 'shutdown' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('start' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('disk' as const),
      step: fc.constantFrom<DiskStep>('begin', 'between changes', 'sync', 'full', 'died before', 'died after'),
    }),
  },
);

const limits = limitsSchema.parse({ deadLetters: 100_000 });
const payloadBytes = 40;

const planOf = (order: 'yield' | 'hold', maxBytes: number) =>
  simulatedPlan({
    queue: { capacity: 500, maxBytes, durability: 'disk' },
    timeouts: { startMs: 500, handleMs: 100, statusMs: 50, stopMs: 400 },
    retry: { maxAttempts: 3, backoffMs: [20, 200], order },
    restart: { policy: 'on-failure', intensity: 1000, periodMs: 1000, backoffMs: [1, 5] },
  });

interface Begin {
  readonly n: number;
  readonly life: number;
}

/** Daemons one after the other, on one disk. */
class Lives {
  readonly disk = new SimulatedDisk();
  readonly #stateFolder: string;
  readonly #plan: ReturnType<typeof planOf>;
  /** What publishers were told, by the number of the event. */
  readonly told = new Map<number, 'accepted' | 'refused' | 'duplicate'>();
  readonly handled = new Map<number, number>();
  readonly begins: Begin[] = [];
  readonly keys = new Map<number, string>();
  readonly deeds = new Map<number, Deed['does']>();
  /** Sent again before they were known to be accepted: they may have their place behind later ones. */
  readonly moved = new Set<number>();
  #next = 0;
  #pauses = 0;
  #life = 0;
  #wallMs = Date.parse('2026-01-01T00:00:00Z');
  #steps: (() => void)[] = [];
  clock = new VirtualClock();
  service: Service | undefined;
  #kept: KeptQueue | undefined;
  #store: Store | undefined;
  deadLetters: DeadLetters | undefined;
  state: KeptState | undefined;
  #cell: SimulatedCell | undefined;

  constructor(stateFolder: string, plan: ReturnType<typeof planOf>) {
    this.#stateFolder = stateFolder;
    this.#plan = plan;
    mkdirSync(join(stateFolder, 'store'), { recursive: true });
    // The store looks for its file before it asks its thread.
    writeFileSync(join(stateFolder, 'store', 'kept.mdb'), '');
  }

  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 4; quiet += 1) {
      this.clock.drain();
      for (let next = this.#steps.shift(); next !== undefined; next = this.#steps.shift()) {
        quiet = 0;
        next();
        await Promise.resolve();
        this.clock.drain();
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Another daemon. */
  async begin(): Promise<void> {
    this.#life += 1;
    const life = this.#life;
    this.#wallMs += this.clock.elapsedMs(0) + 10;
    const clock = new VirtualClock(this.#wallMs);
    this.clock = clock;
    const mine: (() => void)[] = [];
    this.#steps = mine;
    const later = (run: () => void): void => void mine.push(run);
    const store = new Store({
      stateFolder: this.#stateFolder,
      version: '0.0.0',
      limits,
      clock,
      spawn: simulatedKeeper(this.disk, later),
      turnEnd: later,
      tell: () => undefined,
    });
    this.#store = store;
    let kept: KeptQueue | undefined;
    let deadLetters: DeadLetters | undefined;
    void KeptQueue.open({
      pluginId: 'sim',
      store,
      stateFolder: this.#stateFolder,
      clock,
      limits,
      residentBytes: this.#plan.section.queue.maxBytes,
      turnEnd: later,
      onTrouble: () => undefined,
    }).then((opened) => (kept = opened));
    void DeadLetters.open({
      pluginId: 'sim',
      store,
      oldFile: join(this.#stateFolder, 'none'),
      limits,
      clock,
      onTrouble: () => undefined,
    }).then((opened) => (deadLetters = opened));
    const state = new KeptState({ store, clock, table: 'state', owner: ['sim'], onTrouble: () => undefined });
    void state.open();
    this.state = state;
    await this.settle();
    assert.ok(kept !== undefined && deadLetters !== undefined, 'what is kept was not read');
    this.#kept = kept;
    this.deadLetters = deadLetters;
    this.service = new Service(this.#plan, {
      clock,
      random: () => 0.5,
      deadLetters,
      kept,
      state,
      wakes: new WakeTurns(clock, 2),
      limits,
      redact: (text) => text,
      spawnCell: (_spec, listener) => {
        this.#cell = new SimulatedCell(
          {
            clock,
            latencyMs: () => 1,
            pauseMs: () => ((this.#pauses += 1) % 3 === 0 ? 1 : 0),
            nextWay: () => 'ring',
            startAs: () => 'run',
            began: ({ n }) => {
              assert.equal(this.#life, life, 'an event began in a daemon that is dead');
              this.begins.push({ n, life });
            },
            ended: ({ n, does }) => {
              if (does === 'return') this.handled.set(n, (this.handled.get(n) ?? 0) + 1);
            },
          },
          listener,
        );
        return this.#cell;
      },
      outlets: { timeline: () => {}, feed: () => {}, log: () => {} },
      cellLog: {
        log: () => {},
        logDropped: () => {},
        counts: () => ({ lines: 0, bytes: 0, droppedLines: 0, droppedBytes: 0 }),
      },
    });
    this.service.start().catch(() => undefined);
    await this.settle();
  }

  async take(next: Step): Promise<void> {
    switch (next.do) {
      case 'publish':
        for (let index = 0; index < next.count; index += 1) this.#publish(next.does, next.keyed);
        break;
      case 'again':
        for (const [n] of [...this.keys].slice(-5)) {
          if (this.told.get(n) !== 'accepted') this.moved.add(n);
          this.#send(n);
        }
        break;
      case 'deliver':
        this.service
          ?.deliver({ ingress: 'in', kind: 'do', payload: { n: -1, does: 'return', ms: 1 } }, 50)
          .catch(() => undefined);
        break;
      case 'advance':
        this.clock.advance(next.ms);
        break;
      case 'disk':
        this.disk.steps.push(next.step);
        break;
      case 'crash':
        this.#cell?.crash();
        break;
      case 'stop':
      case 'stopNow':
        void this.service?.stop({ now: next.do === 'stopNow' });
        break;
      case 'start':
        this.service?.start().catch(() => undefined);
        break;
      case 'kill':
        await this.begin();
        break;
      case 'shutdown':
        await this.#shutdown();
    }
    await this.settle();
    this.balanced();
  }

  /** Without faults, until nothing is left to do. */
  async finish(): Promise<void> {
    this.disk.steps.length = 0;
    await this.begin();
    this.disk.steps.length = 0;
    for (let round = 0; round < 4000; round += 1) {
      this.service?.start().catch(() => undefined);
      this.clock.advance(100);
      await this.settle();
      const status = this.service?.status();
      if (status?.queue.depth === 0 && status.inFlight === null && status.queue.onDisk === 0) return;
    }
    assert.fail(`the queue is not worked off: ${JSON.stringify(this.service?.status())}`);
  }

  balanced(): void {
    if (this.service?.unaccounted !== 0)
      assert.fail(`the books do not balance: ${JSON.stringify(this.service?.status())}`);
  }

  async #shutdown(): Promise<void> {
    this.disk.steps.length = 0;
    this.service?.retire();
    void this.service?.stopForGood({ now: true });
    for (let round = 0; round < 30; round += 1) {
      this.clock.advance(100);
      await this.settle();
    }
    void this.#kept?.close();
    void this.deadLetters?.close(1000);
    this.state?.close();
    await this.settle();
    void this.#store?.close(1000);
    await this.settle();
    await this.begin();
  }

  #publish(does: Deed['does'], keyed: boolean): void {
    const n = this.#next;
    this.#next += 1;
    this.deeds.set(n, does);
    if (keyed) this.keys.set(n, `key-${String(n)}`);
    this.#send(n);
  }

  #send(n: number): void {
    const { service } = this;
    if (service === undefined) return;
    const key = this.keys.get(n);
    const payload = { n, does: this.deeds.get(n) ?? 'return', ms: n % 3, fill: 'x'.repeat(payloadBytes) };
    const life = this.#life;
    const event = {
      ingress: 'in',
      kind: 'do',
      payload,
      correlationId: `event-${String(n)}`,
      ...(key === undefined ? {} : { idempotencyKey: key }),
    };
    service.storeOne(event, (answer) => {
      // A publisher of a daemon that is dead hears nothing.
      if (life !== this.#life) return;
      if (answer.accepted) this.told.set(n, 'accepted');
      else if (this.told.get(n) !== 'accepted') this.told.set(n, 'refused');
    });
  }
}

const attemptsOf = (lives: Lives, n: number): number => lives.begins.filter((begin) => begin.n === n).length;

/** The simulated plugin counts in `ctx.state` what it has handled, on from what was there when its cell began. */
function checkState({ state, service }: Lives): void {
  const { count = 0 } = JSON.parse(state?.text() ?? '{}') as { readonly count?: number };
  assert.equal(count, service?.status().counters.handled, 'ctx.state counts something else than what was handled');
}

function check(lives: Lives, order: 'yield' | 'hold'): void {
  const dead = new Set(
    lives.deadLetters?.list(undefined, 100_000).deadLetters.map(({ correlationId }) => correlationId) ?? [],
  );
  for (const [n, answer] of lives.told) {
    const does = lives.deeds.get(n);
    const wasHandled = (lives.handled.get(n) ?? 0) > 0 || (does === 'flaky' && attemptsOf(lives, n) > 1);
    const isDead = dead.has(`event-${String(n)}`);
    if (answer === 'accepted') assert.ok(wasHandled || isDead, `event ${String(n)} (${String(does)}) was lost`);
    if (does === 'return' && isDead) assert.fail(`event ${String(n)} was handled and is a dead letter`);
  }
  // Those that came once and began once began in the order in which they came.
  const counts = new Map<number, number>();
  for (const { n } of lives.begins) counts.set(n, (counts.get(n) ?? 0) + 1);
  const once = lives.begins.filter(({ n }) => n >= 0 && counts.get(n) === 1 && !lives.moved.has(n)).map(({ n }) => n);
  assert.deepEqual(
    once,
    once.toSorted((one, other) => one - other),
    `the order is broken (${order})`,
  );
}

test('a durable service keeps its promises whatever fails between any two steps', async (t) => {
  const folder = await temporaryFolder(t);
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 25 }),
      fc.constantFrom('yield' as const, 'hold' as const),
      fc.constantFrom(2048, 16 * 1024 * 1024),
      async (steps, order, maxBytes) => {
        run += 1;
        const lives = new Lives(join(folder, String(run)), planOf(order, maxBytes));
        await lives.begin();
        for (const next of steps) await lives.take(next);
        await lives.finish();
        lives.balanced();
        check(lives, order);
        checkState(lives);
      },
    ),
    { numRuns: 120, endOnFailure: process.env['FC_SHRINK'] === undefined },
  );
});
