import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RestartPolicy } from '../../daemon/services/restart-policy.ts';

const options = { policy: 'on-failure', intensity: 5, periodMs: 60_000, backoffMs: [200, 30_000] } as const;
const made = (override: object = {}, random = () => 0.5): RestartPolicy =>
  new RestartPolicy({ ...options, ...override, backoffMs: [200, 30_000] }, random);

test('the policy never gives up at once', () => {
  assert.equal(made({ policy: 'never' }).failed(0, 0).kind, 'give_up');
});

test('the failure after as many restarts as the intensity allows within the period is given up', () => {
  const policy = made({ intensity: 3 });
  for (let n = 0; n < 3; n += 1) assert.equal(policy.failed(n * 1000, 10).kind, 'restart');
  assert.deepEqual(policy.failed(3000, 10), { kind: 'give_up', reason: 'it failed more than 3 times within 60000 ms' });
});

test('an outage of the store backs off like any failure, is never given up, and takes nothing of the intensity', () => {
  const policy = made({ intensity: 2 }, () => 0.999999);
  const delays = Array.from({ length: 4 }, (_, n) => policy.failed(n, 10, true)).map((decision) =>
    decision.kind === 'restart' ? decision.delayMs : -1,
  );
  assert.deepEqual(delays, [400, 800, 1600, 3200]);
  for (let n = 0; n < 2; n += 1) assert.equal(policy.failed(10 + n, 10).kind, 'restart');
  assert.equal(policy.failed(20, 10).kind, 'give_up');
});

test('failures further apart than the period are always restarted', () => {
  const policy = made({ intensity: 1 });
  for (let n = 0; n < 100; n += 1) assert.equal(policy.failed(n * 60_000, 100).kind, 'restart');
});

test('the backoff doubles with failures in a row and starts over after a stable run', () => {
  const policy = made({ intensity: 100 }, () => 0.999999);
  const delays = Array.from({ length: 10 }, (_, n) => policy.failed(n, 10)).map((decision) =>
    decision.kind === 'restart' ? decision.delayMs : -1,
  );
  assert.deepEqual(delays, [400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000, 30000]);
  const after = policy.failed(1_000_000, 60_000);
  assert.deepEqual(after, { kind: 'restart', delayMs: 400, attempt: 1 });
});

test("the operator's own start wipes the slate", () => {
  const policy = made({ intensity: 1 });
  assert.equal(policy.failed(0, 0).kind, 'restart');
  assert.equal(policy.failed(1, 0).kind, 'give_up');
  policy.reset();
  assert.equal(policy.failed(2, 0).kind, 'restart');
});

test('whatever the failures, delays keep to their bounds and no period has more restarts than the intensity', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 8 }),
      fc.integer({ min: 1, max: 100_000 }),
      fc.tuple(fc.integer({ min: 0, max: 1000 }), fc.integer({ min: 0, max: 100_000 })),
      fc.array(
        fc.record({
          gapMs: fc.integer({ min: 0, max: 50_000 }),
          ranMs: fc.integer({ min: 0, max: 50_000 }),
          random: fc.double({ min: 0, max: 0.9999999, noNaN: true }),
        }),
        { maxLength: 60 },
      ),
      (intensity, periodMs, [least, most], failures) => {
        let random = 0;
        const policy = new RestartPolicy(
          { policy: 'on-failure', intensity, periodMs, backoffMs: [least, most] },
          () => random,
        );
        let now = 0;
        let restarts: number[] = [];
        for (const failure of failures) {
          now += failure.gapMs;
          random = failure.random;
          if (failure.ranMs >= periodMs) restarts = [];
          const decision = policy.failed(now, failure.ranMs);
          restarts = restarts.filter((at) => now - at < periodMs);
          if (decision.kind === 'give_up') {
            assert.ok(restarts.length >= intensity);
          } else {
            restarts.push(now);
            assert.ok(restarts.length <= intensity);
            assert.ok(decision.delayMs >= least && decision.delayMs <= Math.max(least, most));
          }
        }
      },
    ),
  );
});

test('a backoff without a lower bound stays a time however often the service fails', () => {
  const policy = new RestartPolicy({ policy: 'on-failure', intensity: 1, periodMs: 1, backoffMs: [0, 0] }, () => 0.5);
  for (let n = 0; n < 3000; n += 1)
    assert.deepEqual(policy.failed(n * 10, 0), { kind: 'restart', delayMs: 0, attempt: n + 1 });
});
