// A service that fails in a real thread and comes back: restarts, redelivery, dead letters, and handing over.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { EncodedJson } from '../../protocol/json-rpc.ts';
import { type Lab, lab, refusal, balanced, untilStatus } from '../labs/service-lab.ts';

const supervised = {
  restart: { policy: 'on-failure', intensity: 5, periodMs: 60_000, backoffMs: [1, 20] },
  retry: { maxAttempts: 3 },
};

async function running(t: TestContext, override: Record<string, unknown> = {}): Promise<Lab> {
  const made = await lab({ ...supervised, ...override });
  t.after(() => made.service.stop({ now: true }).catch(() => {}));
  await made.service.start();
  return made;
}

for (const deed of ['exitBelow', 'loopBelow'] as const) {
  test(`an event whose cell died under it (${deed}) comes again, and its caller gets the answer of the attempt that went well`, async (t) => {
    const made = await running(t);
    const handled = await made.service.deliver(
      { ingress: 'work', kind: 'do', payload: { do: deed, attempt: 3 } },
      20_000,
    );
    assert.deepEqual(
      [handled.attempt, JSON.parse(new EncodedJson('', handled.json).text)],
      [3, 'handled at attempt 3'],
    );
    const { counters, incarnation, lifecycle } = made.service.status();
    assert.deepEqual(
      [counters.retried, counters.restarts, counters.handled, incarnation, lifecycle],
      [2, 2, 1, 3, 'running'],
    );
    balanced(made);
  });
}

test('a poison event becomes a dead letter with its story, and those behind it are handled in their order', async (t) => {
  const made = await running(t);
  const poison = made.deliver({ n: 0, do: 'exit', code: 1 });
  for (let n = 1; n <= 10; n += 1) made.publish({ n, do: 'echo' });
  await assert.rejects(
    poison,
    refusal('cell_crashed', ({ details }) => assert.equal(details['attempts'], 3)),
  );
  const status = await untilStatus(made, 'the ten behind it', ({ counters }) => counters.handled === 10);
  assert.equal(status.counters.deadLettered, 1);
  assert.deepEqual(await made.deliver({ do: 'seen' }), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, null]);
  const [letter] = made.deadLetters.list(undefined, 10).deadLetters;
  assert.deepEqual(
    letter?.attempts.map(({ attempt, incarnation, error }) => [attempt, incarnation, error.code]),
    [
      [1, 1, 'cell_crashed'],
      [2, 2, 'cell_crashed'],
      [3, 3, 'cell_crashed'],
    ],
  );
  assert.match(letter?.attempts[0]?.error.message ?? '', /process\.exit\(1\)/);
  balanced(made);
});

test('the story of a dead letter holds a stack for each attempt, also where the handler threw nothing and only overran', async (t) => {
  const made = await running(t, { retry: { maxAttempts: 2 } });
  await assert.rejects(made.deliver({ do: 'loop' }, 20_000), refusal('dispatch_timeout'));
  const [letter] = made.deadLetters.list(undefined, 10).deadLetters;
  assert.equal(letter?.attempts.length, 2);
  for (const { at, error } of letter.attempts) {
    assert.ok(Number.isFinite(Date.parse(at)));
    assert.match(error.where ?? '', /blocked in index\.js:\d+:\d+, loop/);
    assert.match(
      error.stack ?? '',
      /^dispatch_timeout: .*\n {4}at loop \(index\.js:\d+:\d+\)\n {4}at handleIngress \(index\.js:/,
    );
  }
});

test('a service that fails more often than its intensity allows is given up, says so, and one start brings it back', async (t) => {
  const made = await running(t, {
    restart: { policy: 'on-failure', intensity: 2, periodMs: 60_000, backoffMs: [1, 2] },
    retry: { maxAttempts: 1 },
  });
  for (let n = 0; n < 3; n += 1) made.publish({ do: 'exit', code: 0 });
  const status = await untilStatus(made, 'given up', ({ restart }) => restart?.pending === false);
  assert.equal(status.lifecycle, 'failed');
  assert.equal(status.counters.restarts, 2);
  assert.ok(status.diagnostics.some(({ event, message }) => event === 'gave_up' && /supervisor gave up/.test(message)));
  assert.throws(
    () => made.publish({}),
    refusal('service_failed', ({ message }) => assert.match(message, /supervisor gave up/)),
  );
  await made.service.start();
  assert.equal(await made.deliver({ do: 'echo', value: 'back' }), 'back');
  assert.equal(made.service.status().restart, null);
});

test('while a restart is pending events are queued, the restart is visible, and a stop cancels it', async (t) => {
  const made = await running(t, {
    restart: { policy: 'on-failure', intensity: 5, periodMs: 60_000, backoffMs: [30_000, 30_000] },
  });
  made.publish({ do: 'exit', code: 1 });
  const { restart } = await untilStatus(made, 'failed', ({ lifecycle }) => lifecycle === 'failed');
  assert.deepEqual([restart?.pending, restart?.attempt, typeof restart?.nextAt], [true, 1, 'string']);
  made.publish({ do: 'echo' });
  assert.equal(made.service.status().queue.depth, 2);
  const { kept, discarded } = await made.service.stop();
  const stopped = made.service.status();
  assert.deepEqual(
    [stopped.lifecycle, stopped.restart, stopped.queue.depth, kept, discarded],
    ['stopped', null, 2, 2, 0],
  );
  balanced(made);
});

test('a start that fails counts: it is tried again by the policy until that gives up', async (t) => {
  const made = await lab({
    ...supervised,
    config: { startAs: 'throw' },
    restart: { policy: 'on-failure', intensity: 2, periodMs: 60_000, backoffMs: [1, 2] },
  });
  t.after(() => made.service.stop({ now: true }));
  await assert.rejects(made.service.start(), refusal('start_failed'));
  const status = await untilStatus(made, 'given up', ({ restart }) => restart?.pending === false);
  assert.equal(status.incarnation, 3);
});

test('a reload hands over between two events: none is lost, doubled or out of order', async (t) => {
  const made = await running(t, { queue: { capacity: 10_000 }, timeouts: { handleMs: 5000 } });
  let stop = false;
  let sent = 0;
  const answers: Promise<unknown>[] = [];
  const sending = (async () => {
    while (!stop) {
      if (sent % 10 === 0) answers.push(made.deliver({ n: sent, do: 'sleep', ms: 1 }));
      else made.publish({ n: sent, do: 'echo' });
      sent += 1;
      if (sent % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
  })();
  for (let n = 0; n < 3; n += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    await made.service.reload(
      await made.plan({
        ...supervised,
        config: { reloaded: n },
        queue: { capacity: 10_000 },
        timeouts: { handleMs: 5000 },
      }),
    );
  }
  stop = true;
  await sending;
  await Promise.all(answers);
  await untilStatus(made, 'all handled', ({ counters }) => counters.handled === sent);
  const { counters, incarnation, lifecycle } = made.service.status();
  assert.deepEqual(
    [counters.enqueued, counters.handled, counters.failed, counters.crashed, incarnation, lifecycle],
    [sent, sent, 0, 0, 4, 'running'],
  );
  const { config, incarnation: told } = (await made.deliver({ do: 'context' })) as {
    config: object;
    incarnation: number;
  };
  assert.deepEqual([config, told], [{ reloaded: 2 }, 4]);
});

test('a reload whose new incarnation does not start leaves the old one at work', async (t) => {
  const made = await running(t);
  await made.deliver({ n: 1, do: 'echo' });
  await assert.rejects(
    made.service.reload(await made.plan({ ...supervised, config: { startAs: 'throw' } })),
    refusal('start_failed'),
  );
  assert.deepEqual(await made.deliver({ do: 'seen' }), [1, null]);
  const { lifecycle, diagnostics } = made.service.status();
  assert.equal(lifecycle, 'running');
  assert.ok(diagnostics.some(({ event }) => event === 'reload_failed'));
});

test("a reload while an event hangs waits no longer than that event's deadline, and the event comes again in the new cell", async (t) => {
  const made = await running(t);
  const answer = made.service.deliver(
    { ingress: 'work', kind: 'do', payload: { do: 'loopBelow', attempt: 2 } },
    20_000,
  );
  await untilStatus(made, 'running', ({ inFlight }) => (inFlight?.sinceMs ?? 0) > 0);
  await made.service.reload(await made.plan(supervised));
  assert.equal((await answer).attempt, 2);
  const { lifecycle, incarnation } = made.service.status();
  assert.deepEqual([lifecycle, incarnation], ['running', 2]);
  balanced(made);
});
