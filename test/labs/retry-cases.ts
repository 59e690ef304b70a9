// What becomes of a published event whose handler throws, in a real cell of either kind.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Isolation } from '../../protocol/manifest.ts';
import { type Lab, lab, untilStatus } from './service-lab.ts';

/** Longer than any of these tests. */
const longMs = 600_000;

export function retryCases(isolation: Isolation): void {
  async function running(
    t: TestContext,
    retry: Record<string, unknown>,
    override: Record<string, unknown> = {},
  ): Promise<Lab> {
    const made = await lab({ isolation, retry, timeouts: { handleMs: 5000 }, ...override });
    t.after(() => made.service.stopForGood({ now: true }));
    await made.service.start();
    return made;
  }

  const letterOf = ({ deadLetters }: Lab): { reason: string | undefined; codes: string[]; messages: string[] } => {
    const { reason, attempts } = deadLetters.get(deadLetters.ids()[0] ?? '');
    return {
      reason,
      codes: attempts.map(({ error }) => error.code),
      messages: attempts.map(({ error }) => error.message),
    };
  };

  test('a published event whose handler throws is tried again after its back-off, and its end is one outcome', async (t) => {
    const made = await running(t, { maxAttempts: 3, backoffMs: [30, 1000] });
    const began = performance.now();
    made.publish({ do: 'throwBelow', attempt: 3 });
    const { counters } = await untilStatus(made, 'it is handled', ({ counters: { handled } }) => handled === 1);
    assert.ok(performance.now() - began >= 30 + 60 - 2, 'the back-off doubles with each attempt');
    assert.deepEqual(
      [counters.threw, counters.retried, counters.dispatched, counters.failed, counters.deadLettered],
      [2, 2, 3, 0, 0],
    );
    const told = made.timeline.filter(({ event }) => event === 'retried').map(({ message }) => message);
    assert.match(told[0] ?? '', /^The event will be tried again at \d{4}-\S+ \S+ \(attempt 2 of 3\)\.$/);
    assert.match(told[1] ?? '', /\(attempt 3 of 3\)\.$/);
  });

  test('throws and crashes of one event count together, and then it is a dead letter with its whole story', async (t) => {
    const restart = { policy: 'on-failure', intensity: 5, periodMs: 60_000, backoffMs: [1, 20] };
    const made = await running(t, { maxAttempts: 2, backoffMs: [10, 10] }, { restart });
    made.publish({ do: 'throwThenExit' });
    await untilStatus(made, 'it is a dead letter', ({ counters: { deadLettered } }) => deadLettered === 1);
    const { reason, codes } = letterOf(made);
    assert.deepEqual([reason, codes], ['attempts', ['dispatch_failed', 'cell_crashed']]);
  });

  test('under "yield" the events behind one that waits for its retry go on', async (t) => {
    const made = await running(t, { maxAttempts: 2, backoffMs: [300, 300] });
    made.publish({ n: 0, do: 'throwBelow', attempt: 2 });
    for (let n = 1; n <= 20; n += 1) made.publish({ n, do: 'echo' });
    await untilStatus(made, 'all are handled', ({ counters: { handled } }) => handled === 21);
    assert.deepEqual(await made.deliver({ do: 'seen' }), [0, ...Array.from({ length: 20 }, (_, i) => i + 1), 0, null]);
  });

  test('under "hold" nothing behind an event that waits for its retry begins, in whichever batch it was', async (t) => {
    const made = await running(t, { maxAttempts: 3, backoffMs: [30, 60], order: 'hold' });
    const expected: (number | null)[] = [];
    for (let n = 0; n < 60; n += 1) {
      const throws = n % 11 === 3;
      made.publish(throws ? { n, do: 'throwBelow', attempt: 3 } : { n, do: 'echo' });
      expected.push(...(throws ? [n, n, n] : [n]));
    }
    const seen = made.deliver({ do: 'seen' }, 15_000);
    const { retrying } = await untilStatus(made, 'one waits', ({ retrying: { count } }) => count === 1);
    assert.notEqual(retrying.nextAt, null);
    assert.deepEqual(await seen, [...expected, null]);
    assert.deepEqual(made.service.status().retrying, { count: 0, nextAt: null });
  });

  test('under "hold" a delivered event that throws holds nobody up, and a dead letter lets the others go on', async (t) => {
    const made = await running(t, { maxAttempts: 2, backoffMs: [10, 10], order: 'hold' });
    const thrown = made.deliver({ n: 0, do: 'throw' });
    made.publish({ n: 1, do: 'throw' });
    for (let n = 2; n <= 20; n += 1) made.publish({ n, do: 'echo' });
    await assert.rejects(thrown, { code: 'dispatch_failed' });
    assert.deepEqual(await made.deliver({ do: 'seen' }), [
      0,
      1,
      1,
      ...Array.from({ length: 19 }, (_, i) => i + 2),
      null,
    ]);
    const { counters } = made.service.status();
    assert.deepEqual([counters.failed, counters.threw, counters.deadLettered, counters.handled], [1, 2, 1, 20]);
  });

  for (const marked of [false, true]) {
    test(`a PermanentError skips the retries, known by its ${marked ? 'mark' : 'name'}`, async (t) => {
      const made = await running(t, { maxAttempts: 3, backoffMs: [longMs, longMs] });
      made.publish({ do: 'permanent', marked });
      const { counters } = await untilStatus(
        made,
        'it is a dead letter',
        ({ counters: { deadLettered } }) => deadLettered === 1,
      );
      assert.equal(counters.dispatched, 1);
      assert.deepEqual(letterOf(made), {
        reason: 'permanent',
        codes: ['dispatch_failed'],
        messages: ['The handler failed: of no use'],
      });
    });
  }

  test('a RetryLater says itself how long its event waits', async (t) => {
    const made = await running(t, { maxAttempts: 2, backoffMs: [longMs, longMs] });
    made.publish({ do: 'retryLater', afterMs: 20 });
    await untilStatus(made, 'it is handled', ({ counters: { handled } }) => handled === 1);
    assert.equal(made.service.status().counters.threw, 1);
  });

  test('a published event that breaks its payload schema is a dead letter at once, and never reaches the handler', async (t) => {
    const made = await running(t, { maxAttempts: 3, backoffMs: [longMs, longMs] });
    made.service.publishToMemory({ ingress: 'strict', kind: 'do', payload: { id: 'x' } });
    const { counters } = await untilStatus(
      made,
      'it is a dead letter',
      ({ counters: { deadLettered } }) => deadLettered === 1,
    );
    assert.deepEqual([counters.dispatched, counters.threw, counters.failed], [1, 0, 0]);
    const { reason, codes, messages } = letterOf(made);
    assert.deepEqual([reason, codes], ['payload_invalid', ['payload_invalid']]);
    assert.match(messages[0] ?? '', /^The event does not fit its payload schema: payload\.id /);
    assert.deepEqual(await made.deliver({ do: 'seen' }), [null]);
  });

  for (const order of ['yield', 'hold'] as const) {
    test(`a stop and a restart keep what waits for a retry and do not wait for it; --discard drops it (${order})`, async (t) => {
      const made = await running(t, { maxAttempts: 2, backoffMs: [longMs, longMs], order });
      made.publish({ do: 'throw' });
      await untilStatus(made, 'it waits', ({ retrying: { count } }) => count === 1);
      if (order === 'hold') made.publish({ do: 'echo' });
      const waiting = order === 'hold' ? 2 : 1;
      const began = performance.now();
      const { kept, discarded } = await made.service.stop();
      assert.ok(performance.now() - began < 900, 'a stop drained what waits for its retry');
      assert.deepEqual([kept, discarded], [waiting, 0]);
      await made.service.start();
      assert.deepEqual(await made.service.restart(), { kept: waiting, discarded: 0 });
      const { retrying, queue } = made.service.status();
      assert.deepEqual([retrying.count, queue.depth], [1, waiting]);
      assert.equal((await made.service.stop({ discard: true })).discarded, waiting);
      assert.deepEqual([made.service.status().retrying, made.service.unaccounted], [{ count: 0, nextAt: null }, 0]);
    });
  }
}
