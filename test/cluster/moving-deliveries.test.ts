// A delivery to a shared service waits while the partition of its event has no holder, and no longer than its caller
// allows. On the virtual clock.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MovingDeliveries } from '../../daemon/operations/moving-deliveries.ts';
import { type ErrorCode, HostError } from '../../protocol/errors.ts';
import { VirtualClock } from '../labs/virtual-clock.ts';

interface Plan {
  /** What each try is refused with; the one after the last works. */
  readonly refusals: readonly HostError[];
  readonly timeoutMs?: number;
  readonly isShared?: () => boolean;
  readonly signal?: AbortSignal;
  readonly most?: number;
}

const refusal = (code: ErrorCode, details: Readonly<Record<string, unknown>> = {}): HostError =>
  new HostError(code, 'not here', details);
const away = refusal('service_unavailable');

function lab({ most = 10 }: Pick<Plan, 'most'> = {}) {
  const clock = new VirtualClock();
  const deliveries = new MovingDeliveries({ clock, most });
  const deliver = ({
    refusals,
    timeoutMs = 1000,
    isShared = () => true,
    signal = new AbortController().signal,
  }: Plan): { readonly allowed: number[]; readonly answer: Promise<unknown> } => {
    const allowed: number[] = [];
    const answer = deliveries
      .deliver({
        plugin: 'a.plugin',
        timeoutMs,
        signal,
        isShared,
        deliver: (leftMs) => {
          const refused = refusals[allowed.length];
          allowed.push(leftMs);
          if (refused !== undefined) throw refused;
          return 'handled';
        },
      })
      .catch((thrown: unknown) => thrown);
    return { allowed, answer };
  };
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 10) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(10);
    }
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { deliver, pass };
}

test('it is tried again, with what is left of its time, until a member has the partition', async () => {
  const { deliver, pass } = lab();
  const { allowed, answer } = deliver({ refusals: [away, refusal('service_stopped'), away] });
  await pass(500);
  assert.equal(await answer, 'handled');
  assert.equal(allowed.length, 4);
  assert.equal(allowed[0], 1000);
  for (const [at, ms] of allowed.entries()) if (at > 0) assert.ok(ms < (allowed[at - 1] ?? 0), allowed.join());
});

test('what has begun, and what failed in another way, is not tried again', async () => {
  const { deliver } = lab();
  for (const one of [
    refusal('service_stopped', { began: true }),
    refusal('member_unavailable'),
    refusal('dispatch_failed'),
  ]) {
    const { allowed, answer } = deliver({ refusals: [one] });
    assert.equal(await answer, one);
    assert.equal(allowed.length, 1);
  }
});

test('nobody waits for a service that no member takes', async () => {
  const { deliver } = lab();
  assert.equal(await deliver({ refusals: [away], isShared: () => false }).answer, away);
});

test('at the end of its time it is refused, as withdrawn', async () => {
  const { deliver, pass } = lab();
  const { answer } = deliver({ refusals: Array.from({ length: 100 }, () => away), timeoutMs: 300 });
  await pass(400);
  const error = (await answer) as HostError;
  assert.equal(error.code, 'dispatch_timeout');
  assert.deepEqual(error.details, { phase: 'queued', timeoutMs: 300, withdrawn: true });
});

test('it ends with its caller', async () => {
  const { deliver, pass } = lab();
  const controller = new AbortController();
  const { allowed, answer } = deliver({ refusals: [away, away, away], signal: controller.signal });
  await pass(10);
  controller.abort();
  assert.equal(await answer, away);
  assert.equal(allowed.length, 1);
});

test('no more wait than are allowed, and each leaves its place when it has been tried again', async () => {
  const { deliver, pass } = lab({ most: 1 });
  const first = deliver({ refusals: [away] });
  const second = deliver({ refusals: [away] });
  assert.equal(((await second.answer) as HostError).code, 'too_many_requests');
  await pass(50);
  assert.equal(await first.answer, 'handled');
  const third = deliver({ refusals: [away] });
  await pass(50);
  assert.equal(await third.answer, 'handled');
});
