// What a stop, a restart and an unload do to events, in a real cell of either kind: what is kept, what is discarded,
// who is told what, and how long it takes.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { HostError } from '../../protocol/errors.ts';
import type { Isolation } from '../../protocol/manifest.ts';
import { type Lab, lab, limits, balanced } from './service-lab.ts';
import { until } from './until.ts';

/** What a promise was rejected with. */
const refusalOf = (promise: Promise<unknown>): Promise<HostError> =>
  promise.then(
    () => assert.fail('it was handled'),
    (error: unknown) => {
      assert.ok(error instanceof HostError, String(error));
      return error;
    },
  );

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, at) => from + at);

export function stopCases(isolation: Isolation): void {
  async function running(t: TestContext, override: Record<string, unknown> = {}): Promise<Lab> {
    const made = await lab({ isolation, timeouts: { handleMs: 20_000, stopMs: 5000 }, ...override });
    t.after(() => made.service.stop({ now: true }));
    await made.service.start();
    return made;
  }

  /** The first event, and as many of the numbers behind it as are given. */
  async function busy(made: Lab, first: Record<string, unknown>, behind: number): Promise<void> {
    made.publish({ n: 0, ...first });
    for (let n = 1; n <= behind; n += 1) made.publish({ n, do: 'echo' });
    await until('an event is in flight', () => (made.service.status().inFlight?.sinceMs ?? 0) > 0);
  }

  test('a stop with now keeps what has not begun, cuts the running event off and is done within the grace and the kill', async (t) => {
    const made = await running(t);
    await busy(made, { do: 'hang' }, 39);
    const began = performance.now();
    const { kept, discarded, error } = await made.service.stop({ now: true });
    const tookMs = performance.now() - began;
    assert.ok(tookMs < limits.abortGraceMs + 1000, `it took ${String(tookMs)} ms`);
    assert.deepEqual([kept, discarded, error, made.service.lifecycle], [40, 0, undefined, 'stopped']);
    balanced(made);
    await made.service.reload(await made.plan({ isolation, timeouts: { handleMs: 200 } }));
    await made.service.start();
    await until('1 are counted as timedOut', () => made.service.status().counters.timedOut === 1);
  });

  test('what a stop with now kept is handled in its order after the next start, the event that ran first and as its next attempt', async (t) => {
    const made = await running(t);
    await busy(made, { do: 'loopBelow', attempt: 2 }, 20);
    await made.service.stop({ now: true });
    await made.service.start();
    assert.deepEqual(await made.deliver({ do: 'seen' }), [...range(0, 21), null]);
    const { counters } = made.service.status();
    assert.deepEqual(
      [counters.handled, counters.dispatched, counters.retried, counters.crashed, counters.timedOut],
      [22, 23, 1, 0, 0],
    );
    assert.deepEqual(made.timeline.find(({ event }) => event === 'cut_off')?.data?.['attempt'], 2);
    balanced(made);
  });

  test('deliveries that a stop ended use up no attempt', async (t) => {
    const made = await running(t, { retry: { maxAttempts: 1 } });
    await busy(made, { do: 'loopBelow', attempt: 4 }, 0);
    for (let stops = 0; stops < 3; stops += 1) {
      await until('an event is in flight', () => (made.service.status().inFlight?.sinceMs ?? 0) > 0);
      await made.service.stop({ now: true });
      await made.service.start();
    }
    await until('1 are counted as handled', () => made.service.status().counters.handled === 1);
    assert.equal(made.service.status().counters.deadLettered, 0);
  });

  test("a handler that throws because its signal was aborted has its event come again, and the plugin's own stop runs", async (t) => {
    const made = await running(t, { config: { stopAs: 'throw' } });
    await busy(made, { do: 'obey' }, 3);
    const { kept, error } = await made.service.stop({ now: true });
    assert.deepEqual([kept, made.service.status().counters.failed], [4, 0]);
    assert.equal(error?.code, 'stop_failed', "the plugin's stop did not run");
  });

  test("the plugin's own stop does not run if the handler does not return within the grace", async (t) => {
    const made = await running(t, { config: { stopAs: 'throw' } });
    await busy(made, { do: 'hang' }, 0);
    assert.equal((await made.service.stop({ now: true })).error, undefined);
  });

  for (const now of [true, false]) {
    test(`a stop with discard${now ? ' and now' : ''} drops the queue and tells how many events that were`, async (t) => {
      const made = await running(t);
      await busy(made, { do: now ? 'hang' : 'sleep', ms: 100 }, 40);
      const { kept, discarded } = await made.service.stop({ now, discard: true });
      assert.deepEqual([kept, discarded, made.service.lifecycle], [0, now ? 41 : 40, 'stopped']);
      assert.deepEqual(
        [made.service.status().counters.handled, made.service.status().counters.discarded],
        [now ? 0 : 1, discarded],
      );
      balanced(made);
    });
  }

  test('a service that is stopped may still be told to drop what it keeps', async (t) => {
    const made = await running(t);
    await busy(made, { do: 'hang' }, 4);
    assert.equal((await made.service.stop({ now: true })).kept, 5);
    assert.deepEqual(await made.service.stop({ discard: true }), { kept: 0, discarded: 5, error: undefined });
    balanced(made);
  });

  test('a stop that drains can be hastened by a second one', async (t) => {
    const made = await running(t);
    await busy(made, { do: 'hang' }, 4);
    const stopped = made.service.stop();
    const began = performance.now();
    const hastened = await made.service.stop({ now: true });
    assert.ok(performance.now() - began < 1000);
    assert.equal(hastened.kept, 5);
    assert.deepEqual(await stopped, hastened);
  });

  test('callers that wait are told service_stopped, the one whose event ran included, and their events are counted', async (t) => {
    const made = await running(t);
    const ran = refusalOf(made.deliver({ do: 'hang' }));
    const waited = Array.from({ length: 5 }, () => refusalOf(made.deliver({ do: 'echo' })));
    made.publish({ do: 'echo' });
    await until('an event is in flight', () => (made.service.status().inFlight?.sinceMs ?? 0) > 0);
    const { kept, discarded } = await made.service.stop({ now: true });
    assert.deepEqual([kept, discarded], [1, 6]);
    assert.deepEqual(
      (await Promise.all([ran, ...waited])).map(({ code }) => code),
      Array(6).fill('service_stopped'),
    );
    balanced(made);
  });

  for (const [how, code, first, override] of [
    ['crashes', 'cell_crashed', { do: 'exitLater', ms: 100 }, {}],
    ['overruns', 'dispatch_timeout', { do: 'hang' }, { timeouts: { handleMs: 300, stopMs: 5000 } }],
  ] as const) {
    for (const maxAttempts of [1, 3]) {
      test(`an event that ${how} while the service stops (of ${String(maxAttempts)} attempts): its caller is told ${code}, and the service is stopped`, async (t) => {
        const made = await running(t, { ...override, retry: { maxAttempts }, restart: { policy: 'on-failure' } });
        const caller = refusalOf(made.deliver(first));
        for (let n = 1; n <= 3; n += 1) made.publish({ n, do: 'echo' });
        await until('an event is in flight', () => (made.service.status().inFlight?.sinceMs ?? 0) > 0);
        const { kept, discarded, error } = await made.service.stop();
        assert.equal((await caller).code, code);
        const { lifecycle, lastError, restart, counters } = made.service.status();
        assert.deepEqual([lifecycle, error?.code, lastError?.code, restart], ['stopped', code, code, null]);
        assert.deepEqual([kept, discarded, counters.deadLettered], [3, 1, 0]);
        balanced(made);
      });
    }
  }

  test('a published event that crashes its cell while the service stops stays queued as its next attempt', async (t) => {
    const made = await running(t, { retry: { maxAttempts: 3 } });
    await busy(made, { do: 'exitLater', ms: 50 }, 2);
    const { kept, error } = await made.service.stop();
    assert.deepEqual([kept, error?.code, made.service.lifecycle], [3, 'cell_crashed', 'stopped']);
  });

  test('a restart finishes the running event and keeps the queue and the callers that wait', async (t) => {
    const made = await running(t);
    const first = made.deliver({ n: 0, do: 'sleep', ms: 200 });
    for (let n = 1; n <= 30; n += 1) made.publish({ n, do: 'echo' });
    const caller = made.deliver({ do: 'seen' });
    await until('an event is in flight', () => (made.service.status().inFlight?.sinceMs ?? 0) > 0);
    const restarting = made.service.restart();
    made.publish({ n: 31, do: 'echo' });
    assert.deepEqual(await restarting, { kept: 32, discarded: 0 });
    assert.equal(await first, 'slept');
    assert.deepEqual(await caller, [...range(1, 31), null]);
    await until(
      'nothing waits and nothing runs',
      () => made.service.status().queue.depth === 0 && made.service.status().inFlight === null,
    );
    const { counters, incarnation } = made.service.status();
    assert.deepEqual(
      [counters.handled, counters.discarded, counters.rejected.notAccepting, incarnation],
      [33, 0, 0, 2],
    );
  });

  test('a crash while a restart waits for the running event costs that event an attempt and nothing else', async (t) => {
    const made = await running(t, { retry: { maxAttempts: 2 } });
    const crashing = made.deliver({ n: 0, do: 'exitLater', ms: 100, below: 2 });
    for (let n = 1; n <= 50; n += 1) made.publish({ n, do: 'echo' });
    await until('an event is in flight', () => (made.service.status().inFlight?.sinceMs ?? 0) > 0);
    assert.deepEqual(await made.service.restart(), { kept: 51, discarded: 0 });
    assert.equal(await crashing, 'handled at attempt 2');
    await until('51 are counted as handled', () => made.service.status().counters.handled === 51);
    assert.deepEqual([made.service.status().incarnation, made.service.status().counters.crashed], [2, 1]);
    balanced(made);
  });

  test('a stop overtakes a restart: the service is stopped, and the queue is kept', async (t) => {
    const made = await running(t);
    await busy(made, { do: 'sleep', ms: 100 }, 5);
    const restarted = refusalOf(made.service.restart());
    await until('the service is stopping', () => made.service.lifecycle === 'stopping');
    const { kept } = await made.service.stop();
    assert.equal((await restarted).code, 'service_stopped');
    assert.deepEqual([kept, made.service.lifecycle], [5, 'stopped']);
  });

  test('two restarts at once are one', async (t) => {
    const made = await running(t);
    await Promise.all([
      made.service.restart(),
      made.service.restart(),
      made.service.restart().then(() => made.service.start()),
    ]);
    assert.deepEqual([made.service.status().incarnation, made.service.status().counters.restarts], [2, 1]);
  });

  for (const maxAttempts of [1, 3]) {
    test(`where the supervisor gives up, the caller of the event that crashed is told cell_crashed, and it is discarded (maxAttempts ${String(maxAttempts)})`, async (t) => {
      const made = await running(t, { retry: { maxAttempts } });
      const crashed = refusalOf(made.deliver({ do: 'exitLater', ms: 50 }));
      const behind = refusalOf(made.deliver({ do: 'echo' }));
      made.publish({ do: 'echo' });
      assert.equal((await crashed).code, 'cell_crashed');
      assert.equal((await behind).code, 'service_failed');
      const { counters, queue, lifecycle } = made.service.status();
      assert.deepEqual(
        [lifecycle, counters.discarded, counters.deadLettered, counters.retried, queue.depth],
        ['failed', 2, 0, 0, 1],
      );
      balanced(made);
    });
  }

  test('where the supervisor gives up, a published event that crashed stays queued while it has attempts, and then is a dead letter', async (t) => {
    const made = await running(t, { retry: { maxAttempts: 2 } });
    made.publish({ do: 'exit', code: 1 });
    await until('the service is failed', () => made.service.lifecycle === 'failed');
    assert.deepEqual([made.service.status().queue.depth, made.service.status().counters.retried], [1, 0]);
    await made.service.start();
    await until('the service is failed', () => made.service.lifecycle === 'failed');
    const { counters, queue } = made.service.status();
    assert.deepEqual(
      [queue.depth, counters.deadLettered, counters.retried, counters.dispatched, counters.crashed],
      [0, 1, 1, 2, 2],
    );
  });

  test('an event is in flight, and counted as dispatched, when it begins and not before', async (t) => {
    const made = await running(t);
    made.publish({ do: 'sleep', ms: 200 });
    const { inFlight, counters, queue } = made.service.status();
    assert.deepEqual([inFlight, counters.dispatched, queue.depth], [null, 0, 1]);
    await until('an event is in flight', () => made.service.status().inFlight !== null);
    for (let n = 0; n < 3; n += 1) made.publish({ do: 'echo' });
    balanced(made);
    assert.equal(made.service.status().counters.dispatched, 1);
    await until('4 are counted as handled', () => made.service.status().counters.handled === 4);
    assert.equal(made.service.status().counters.dispatched, 4);
  });
}
