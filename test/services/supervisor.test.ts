// The supervisor on a virtual clock: whatever fails, is stopped or started, and whenever, a restart comes exactly when
// it was announced, never when it was cancelled, and no more often than the policy allows.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RestartOptions } from '../../daemon/services/restart-policy.ts';
import { Supervisor } from '../../daemon/services/supervisor.ts';
import { VirtualClock } from '../labs/virtual-clock.ts';

type Step =
  /** Where nothing is pending: the service, which ran for so long, fails. */
  | { readonly do: 'fail'; readonly ranMs: number; readonly random: number }
  | { readonly do: 'advance'; readonly ms: number }
  /** A stop, and the operator's own start. */
  | { readonly do: 'cancel' | 'reset' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('fail' as const),
      ranMs: fc.integer({ min: 0, max: 3000 }),
      random: fc.double({ min: 0, max: 0.9999999, noNaN: true }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 800 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('cancel' as const, 'reset' as const) }) },
);

const options: fc.Arbitrary<RestartOptions> = fc
  .record({
    policy: fc.constantFrom('never' as const, 'on-failure' as const),
    intensity: fc.integer({ min: 0, max: 5 }),
    periodMs: fc.integer({ min: 1, max: 2000 }),
    least: fc.integer({ min: 0, max: 50 }),
    more: fc.integer({ min: 0, max: 500 }),
  })
  .map(({ least, more, ...rest }) => ({ ...rest, backoffMs: [least, least + more] }));

class Watched {
  readonly clock = new VirtualClock();
  readonly #options: RestartOptions;
  readonly #supervisor: Supervisor;
  #random = 0;
  /** When the restart that is pending is to come. */
  #dueMs: number | undefined;
  /** When those of the present period were announced. */
  #announced: number[] = [];
  #restarts = 0;

  constructor(given: RestartOptions) {
    this.#options = given;
    this.#supervisor = new Supervisor(given, {
      clock: this.clock,
      random: () => this.#random,
      restart: () => {
        assert.equal(
          this.clock.wallMs(),
          this.#dueMs,
          'a restart came at another time than was announced, or after its cancellation',
        );
        this.#dueMs = undefined;
        this.#restarts += 1;
      },
    });
  }

  take(next: Step): void {
    if (next.do === 'advance') this.#advance(next.ms);
    else if (next.do === 'fail') this.#fail(next);
    else {
      this.#supervisor[next.do]();
      this.#dueMs = undefined;
      if (next.do === 'reset') this.#announced = [];
      assert.equal(this.#supervisor.view(), null);
    }
    this.#check();
  }

  #advance(ms: number): void {
    const before = this.#restarts;
    const comes = this.#dueMs !== undefined && this.#dueMs <= this.clock.wallMs() + ms;
    this.clock.advance(ms);
    assert.equal(this.#restarts, before + (comes ? 1 : 0), 'a pending restart comes once, in its time');
  }

  #fail({ ranMs, random }: Extract<Step, { do: 'fail' }>): void {
    if (this.#supervisor.pending || this.#supervisor.gaveUp !== undefined) return;
    const { policy, intensity, periodMs, backoffMs } = this.#options;
    this.#random = random;
    const nowMs = this.clock.wallMs();
    this.#announced = ranMs >= periodMs ? [] : this.#announced.filter((atMs) => nowMs - atMs < periodMs);
    const verdict = this.#supervisor.failed(ranMs);
    assert.equal(verdict.kind, policy === 'never' || this.#announced.length >= intensity ? 'give_up' : 'restart');
    if (verdict.kind === 'give_up') {
      assert.equal(this.#supervisor.gaveUp, verdict.reason);
      return;
    }
    assert.ok(verdict.delayMs >= backoffMs[0] && verdict.delayMs <= backoffMs[1]);
    this.#announced.push(nowMs);
    this.#dueMs = nowMs + verdict.delayMs;
  }

  #check(): void {
    const { pending, gaveUp } = this.#supervisor;
    const view = this.#supervisor.view();
    assert.equal(pending, this.#dueMs !== undefined);
    assert.equal(this.clock.pendingTimers, pending ? 1 : 0);
    assert.ok(!(pending && gaveUp !== undefined), 'given up and coming back');
    assert.equal(view?.pending, pending ? true : gaveUp === undefined ? undefined : false);
    assert.equal(
      view?.nextAt ?? undefined,
      this.#dueMs === undefined ? undefined : new Date(this.#dueMs).toISOString(),
    );
  }
}

test('whatever fails, stops and starts, a restart comes when it was announced, and only then', () => {
  fc.assert(
    fc.property(options, fc.array(step, { maxLength: 60 }), (given, steps) => {
      const watched = new Watched(given);
      for (const next of steps) watched.take(next);
    }),
    { numRuns: 500 },
  );
});

test('what ends a service that nobody told to end is a failure: on-failure brings it back, within its intensity', () => {
  const clock = new VirtualClock();
  let restarts = 0;
  const supervisor = new Supervisor(
    { policy: 'on-failure', intensity: 1, periodMs: 1000, backoffMs: [10, 10] },
    { clock, random: () => 0, restart: () => void (restarts += 1) },
  );
  assert.deepEqual(supervisor.failed(0), { kind: 'restart', delayMs: 10, attempt: 1 });
  clock.advance(10);
  assert.equal(restarts, 1);
  assert.equal(supervisor.failed(5).kind, 'give_up');
});
