// Whatever is done with workers, whatever the store does with each commit, and wherever the daemon is killed or ended:
// what was answered or told stays so, each accepted input comes to exactly one end, and none runs twice.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { InputAnswer, TranscriptItem } from '../../protocol/runtime.ts';
import { HostError } from '../../protocol/errors.ts';
import { type CommitFate } from '../labs/memory-store.ts';
import { type RuntimeLab, runtimeLab, settled } from '../labs/runtime-lab.ts';
import { VirtualClock } from '../labs/virtual-clock.ts';

const runtimeId = 'backend-internal';
const ends = new Set(['done', 'failed', 'cancelled']);

type Step =
  | { readonly do: 'create' | 'kill' | 'end daemon' | 'reopen' | 'stop' }
  | { readonly do: 'input'; readonly worker: number; readonly inputId: string | undefined; readonly now: boolean }
  | { readonly do: 'say' | 'done' | 'fail' | 'cancel running' | 'cancel last'; readonly worker: number }
  | { readonly do: 'fates'; readonly fates: readonly CommitFate[] }
  | { readonly do: 'pass'; readonly ms: number };

const worker = fc.nat({ max: 2 });
const fate: fc.Arbitrary<CommitFate> = fc.constantFrom(
  'done',
  'done',
  'full',
  'failed before',
  'failed after',
  'dies before',
  'dies after',
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('create' as const) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('input' as const),
      worker,
      inputId: fc.constantFrom(undefined, 'a', 'b'),
      now: fc.boolean(),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom('say' as const, 'done' as const, 'done' as const, 'fail' as const),
      worker,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('cancel running' as const, 'cancel last' as const), worker }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('kill' as const, 'end daemon' as const, 'reopen' as const) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('stop' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('fates' as const), fates: fc.array(fate, { maxLength: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 40_000 }) }) },
);

interface Known {
  readonly workerId: string;
  readonly accepted: InputAnswer[];
  /** Items that were seen whole. */
  readonly seen: Map<number, string>;
  stopped: boolean;
}

class Trial {
  #lab: RuntimeLab;
  #clock = new VirtualClock();
  readonly #known: Known[] = [];
  /** How often the program of any daemon was given an input. */
  readonly #given = new Map<string, number>();
  #fates: CommitFate[] = [];
  /** The store has refused something: what was told since, and not written, ends with the daemon. */
  #trouble = false;

  constructor() {
    this.#lab = this.#open(runtimeLab({ clock: this.#clock }));
  }

  async take(step: Step): Promise<void> {
    const { registry } = this.#lab;
    if (step.do === 'create') {
      if (this.#known.length >= 3) return;
      void this.#try(async () => {
        const { workerId } = await this.#lab.create();
        this.#known.push({ workerId, accepted: [], seen: new Map(), stopped: false });
      });
    } else if (step.do === 'kill') await this.#next();
    else if (step.do === 'end daemon') {
      const closed = registry.close(1000);
      await this.#rest();
      this.#clock.advance(1000);
      await closed;
      await this.#look();
      await this.#next();
    } else if (step.do === 'reopen') this.#lab.store.reopen();
    else if (step.do === 'fates') this.#fates.push(...step.fates);
    else if (step.do === 'pass') this.#clock.advance(step.ms);
    else if (step.do === 'stop') {
      const known = this.#known[0];
      if (known === undefined || this.#known.length < 3) return;
      void this.#try(async () => {
        await registry.stop({ runtimeId, workerId: known.workerId });
        known.stopped ||= !this.#trouble;
      });
    } else if ('worker' in step) {
      const known = this.#known[step.worker];
      if (known === undefined) return;
      this.#withWorker(known, step);
      if (step.do === 'input' && !step.now) return;
    }
    await this.#rest();
    if (this.#lab.store.dead) await this.#next();
    await this.#look();
  }

  async finish(): Promise<void> {
    this.#fates = [];
    await this.#next();
    for (let round = 0; round < 60; round += 1) {
      this.#clock.advance(40_000);
      await this.#rest();
      for (const known of this.#known) this.#current(known)?.end('done');
    }
    await this.#rest();
    await this.#look();
    for (const { workerId, accepted, stopped } of this.#known) {
      const view = await this.#lab.registry.worker({ runtimeId, workerId });
      assert.ok(view.state !== 'busy', 'in the end nothing waits');
      if (stopped) assert.equal(view.state, 'stopped');
      const items = await this.#items(workerId);
      assert.deepEqual(
        items.map(({ sequence }) => sequence),
        items.map((_, at) => at + 1),
      );
      for (const { eventId, sequence } of accepted) {
        assert.equal(items[sequence - 1]?.eventId, eventId, 'it stands where the answer said');
        const own = items.filter((item) => item.eventId === eventId && ends.has(item.status ?? ''));
        assert.equal(own.length, 1, 'an accepted input comes to exactly one end');
      }
      assert.ok(!items.some(({ status }) => status === 'streaming'));
    }
    for (const [, times] of this.#given) assert.equal(times, 1, 'nothing runs twice');
  }

  #open(lab: RuntimeLab): RuntimeLab {
    this.#trouble = false;
    lab.store.fate = () => {
      const next = this.#fates.shift() ?? 'done';
      if (next !== 'done' && !next.startsWith('dies')) this.#trouble = true;
      return next;
    };
    return lab;
  }

  async #next(): Promise<void> {
    this.#note();
    const store = this.#lab.store.restarted();
    this.#clock = new VirtualClock(this.#clock.wallMs() + 1000);
    this.#lab = this.#open(runtimeLab({ store, clock: this.#clock }));
    await this.#rest();
    if (store.dead) await this.#next();
  }

  /** What programs of this daemon were given. */
  #note(): void {
    for (const { workerId } of this.#known) {
      for (const { input } of this.#programOf(workerId)?.given ?? [])
        this.#given.set(input.eventId, (this.#given.get(input.eventId) ?? 0) + 1);
    }
  }

  #programOf(workerId: string): ReturnType<RuntimeLab['program']> | undefined {
    try {
      return this.#lab.program(workerId);
    } catch {
      return undefined;
    }
  }

  #current({ workerId }: Known): ReturnType<RuntimeLab['program']>['current'] {
    return this.#programOf(workerId)?.current;
  }

  #withWorker(known: Known, step: Extract<Step, { worker: number }>): void {
    const { registry } = this.#lab;
    const address = { runtimeId, workerId: known.workerId };
    if (step.do === 'input') {
      void this.#try(async () => {
        const answer = await registry.input(address, {
          kind: 'user',
          content: `x${step.inputId ?? ''}`,
          inputId: step.inputId,
        });
        if (!known.accepted.some(({ eventId }) => eventId === answer.eventId)) known.accepted.push(answer);
      });
    } else if (step.do === 'cancel last') {
      const eventId = known.accepted.at(-1)?.eventId;
      if (eventId !== undefined) void this.#try(async () => await registry.cancel(address, { eventId }));
    } else if (step.do === 'cancel running')
      void this.#try(async () => await registry.cancel(address, { ranAtMs: this.#clock.monotonicMs() }));
    else if (step.do === 'say') this.#current(known)?.say('said ');
    else this.#current(known)?.end(step.do === 'done' ? 'done' : 'cell_crashed');
  }

  async #try(attempt: () => Promise<unknown>): Promise<void> {
    try {
      await attempt();
    } catch (thrown) {
      if (!(thrown instanceof HostError)) throw thrown;
    }
  }

  /** What was seen whole is seen so by everybody who comes later. */
  async #look(): Promise<void> {
    for (const { workerId, seen } of this.#known) {
      for (const item of await this.#items(workerId)) {
        const text = JSON.stringify(item);
        const before = seen.get(item.sequence);
        if (before !== undefined) assert.equal(text, before, 'what was told does not change');
        else if (!this.#trouble && item.status !== 'streaming' && item.status !== 'partial')
          seen.set(item.sequence, text);
      }
    }
  }

  async #items(workerId: string): Promise<readonly TranscriptItem[]> {
    const page = this.#lab.registry.transcript({ runtimeId, workerId }, 0, 200);
    await this.#rest();
    return (await page).items;
  }

  async #rest(): Promise<void> {
    for (let turn = 0; turn < 3; turn += 1) {
      this.#clock.drain();
      await settled();
    }
  }
}

test(
  'workers keep their promises over kills, ends and a store that fails at any commit',
  { timeout: 120_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const trial = new Trial();
        await trial.take({ do: 'create' });
        for (const each of steps) await trial.take(each);
        await trial.finish();
      }),
      { numRuns: 120 },
    );
  },
);
