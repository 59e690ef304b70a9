// A service in a real cell, whichever kind: what its plugin may do, and what the caller is told.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Isolation } from '../../protocol/manifest.ts';
import { type Lab, lab, refusal, balanced } from './service-lab.ts';

export function serviceCases(isolation: Isolation): void {
  async function running(
    t: TestContext,
    override: Record<string, unknown> = {},
    env: Record<string, string> = {},
  ): Promise<Lab> {
    const made = await lab({ isolation, ...override }, env);
    t.after(() => made.service.stop({ now: true }).catch(() => {}));
    await made.service.start();
    return made;
  }

  test("deliver answers with the handler's output", async (t) => {
    const { deliver } = await running(t);
    assert.deepEqual(await deliver({ do: 'echo', value: { deep: [1, null, 'x'] } }), { deep: [1, null, 'x'] });
    assert.equal(await deliver({ do: 'nothing known' }), null);
  });

  test('events execute one at a time and in the order they came, however they are sent', async (t) => {
    const made = await running(t);
    const count = 5000;
    const room = async (): Promise<void> => {
      while (made.service.status().queue.depth >= 60) await new Promise((resolve) => setImmediate(resolve));
    };
    const answers: Promise<unknown>[] = [];
    for (let n = 0; n < count; n += 1) {
      await room();
      if (n % 7 === 0) answers.push(made.deliver({ n, do: n % 3 === 0 ? 'sleep' : 'echo', ms: 0 }));
      else made.publish({ n, do: 'echo' });
      if (n % 50 === 0) balanced(made);
    }
    await Promise.all(answers);
    await room();
    const seen = (await made.deliver({ do: 'seen' })) as (number | null)[];
    assert.deepEqual(
      seen.filter((n) => n !== null),
      Array.from({ length: count }, (_, n) => n),
    );
    balanced(made);
  });

  for (const [what, name] of [
    ['Error', 'an Error'],
    ['null', 'null'],
    ['undefined', 'undefined'],
    ['text', 'a text'],
    ['getter', 'an object whose message throws'],
  ] as const) {
    test(`a handler that throws ${name} fails its event alone`, async (t) => {
      const made = await running(t);
      await assert.rejects(
        made.deliver({ do: 'throw', what }),
        refusal('dispatch_failed', ({ details }) =>
          assert.equal(typeof (details['cause'] as { message: unknown }).message, 'string'),
        ),
      );
      assert.equal(made.service.lifecycle, 'running');
      assert.equal(await made.deliver({ do: 'echo', value: 1 }), 1);
      assert.equal(made.service.status().counters.failed, 1);
      balanced(made);
    });
  }

  for (const deed of ['function', 'symbol', 'bigint', 'circular', 'reject'] as const) {
    test(`a handler that answers with or throws what cannot be sent (${deed}) fails its event alone`, async (t) => {
      const made = await running(t);
      await assert.rejects(made.deliver({ do: deed }), refusal('dispatch_failed'));
      assert.equal(await made.deliver({ do: 'echo', value: 1 }), 1);
    });
  }

  test('an output over its bound is refused inside the cell and says how large it was', async (t) => {
    const made = await running(t);
    await assert.rejects(
      made.deliver({ do: 'large', bytes: 2_000_000 }),
      refusal('dispatch_failed', ({ message }) => assert.match(message, /2000002 bytes.*at most 1048576/)),
    );
  });

  for (const deed of ['loop', 'hang'] as const) {
    test(`a handler past its deadline (${deed}) is answered dispatch_timeout, and its cell is ended`, async (t) => {
      const made = await running(t);
      const began = performance.now();
      await assert.rejects(
        made.deliver({ do: deed }),
        refusal('dispatch_timeout', ({ details }) => assert.equal(details['phase'], 'running')),
      );
      assert.ok(performance.now() - began >= 299);
      const { lifecycle, counters, lastError } = made.service.status();
      assert.equal(lifecycle, 'failed');
      assert.equal(counters.timedOut, 1);
      assert.deepEqual([counters.deadLettered, counters.discarded], [0, 1]);
      assert.equal(lastError?.code, 'dispatch_timeout');
      assert.throws(() => made.publish({}), refusal('service_failed'));
      await made.service.start();
      assert.equal(await made.deliver({ do: 'echo', value: 2 }), 2);
      assert.equal(made.service.status().incarnation, 2);
      balanced(made);
    });
  }

  test('events behind a handler that hangs wait for the next start and keep their order', async (t) => {
    const made = await running(t);
    made.publish({ n: 0, do: 'loop' });
    for (let n = 1; n <= 20; n += 1) made.publish({ n, do: 'echo' });
    while (made.service.lifecycle === 'running') await new Promise((resolve) => setTimeout(resolve, 5));
    balanced(made);
    await made.service.start();
    assert.deepEqual(await made.deliver({ do: 'seen' }), [...Array.from({ length: 20 }, (_, i) => i + 1), null]);
    assert.equal(made.service.status().counters.handled, 21);
    balanced(made);
  });

  test('whoever waits behind a handler that hangs is told service_failed, not left waiting', async (t) => {
    const made = await running(t);
    const hung = made.deliver({ do: 'loop' });
    const behind = made.deliver({ do: 'echo' });
    await assert.rejects(hung, refusal('dispatch_timeout'));
    await assert.rejects(behind, refusal('service_failed'));
    assert.equal(made.service.status().counters.discarded, 2);
    balanced(made);
  });

  test('a plugin that exits is a crash of its cell alone, whatever the exit code', async (t) => {
    const made = await running(t);
    await assert.rejects(
      made.deliver({ do: 'exit', code: 0 }),
      refusal('cell_crashed', ({ details }) => assert.equal(details['reason'], 'exit')),
    );
    assert.equal(made.service.lifecycle, 'failed');
    assert.equal(made.service.status().counters.crashed, 1);
  });

  for (const deed of ['later', 'rejectLater'] as const) {
    test(`an error nobody caught after the answer (${deed}) is a crash of the cell and no fault of the next event`, async (t) => {
      const made = await running(t);
      assert.equal(await made.deliver({ do: deed, ms: 0 }), 'armed');
      while (made.service.lifecycle === 'running') await new Promise((resolve) => setTimeout(resolve, 5));
      const { counters, lastError } = made.service.status();
      assert.equal(counters.handled, 1);
      assert.equal(counters.crashed, 0);
      assert.equal(lastError?.code, 'cell_crashed');
      assert.match(
        lastError.message,
        deed === 'later'
          ? /^The plugin's code threw an error outside of any event, and nobody caught it: /
          : /^The plugin's code rejected a promise outside of any event, and nobody handled it: /,
      );
      assert.match(lastError.stack ?? '', /index\.js/);
    });
  }

  test('an error that an earlier event left behind costs the one in flight no more than an attempt, in a cell where nothing is left', async (t) => {
    const restart = { policy: 'on-failure', intensity: 5, periodMs: 60_000, backoffMs: [1, 20] };
    const made = await running(t, { restart, retry: { maxAttempts: 2 }, timeouts: { handleMs: 20_000 } });
    assert.equal(await made.deliver({ do: 'later', ms: 100 }), 'armed');
    const innocent = await made.service.deliver(
      { ingress: 'work', kind: 'do', payload: { do: 'sleep', ms: 1000 } },
      20_000,
    );
    assert.equal(innocent.attempt, 2);
    const { counters, incarnation, lastError } = made.service.status();
    assert.deepEqual([counters.handled, counters.crashed, counters.deadLettered, incarnation], [2, 1, 0, 2]);
    assert.match(lastError?.stack ?? '', /index\.js/);
    assert.equal(made.timeline.find(({ event }) => event === 'cell_crashed')?.incarnation, 1);
    balanced(made);
  });

  test('a cell whose thread is held between two events is found out and ended', async (t) => {
    const made = await running(t);
    assert.equal(await made.deliver({ do: 'spinLater', ms: 0 }), 'armed');
    await new Promise((resolve) => setTimeout(resolve, 50));
    await assert.rejects(made.deliver({ do: 'echo' }), refusal('service_failed'));
    assert.equal(made.service.status().lastError?.code, 'cell_crashed');
    assert.match(made.service.status().lastError?.message ?? '', /began no event/);
  });

  test("a signal to the daemon's own process is refused with a remedy", async (t) => {
    const made = await running(t);
    await assert.rejects(
      made.deliver({ do: isolation === 'thread' ? 'killDaemon' : 'signalParent' }),
      refusal('dispatch_failed', ({ message }) =>
        assert.match(message, /process\.kill\(\) of the daemon is not allowed/),
      ),
    );
  });

  test('the cell sees the environment its plugin declares and nothing else', async (t) => {
    process.env['LAB_UNDECLARED'] = 'host only';
    t.after(() => delete process.env['LAB_UNDECLARED']);
    const made = await running(t, {}, { LAB_SECRET: 'declared', OTHER: 'no' });
    assert.deepEqual(await made.deliver({ do: 'env' }), { LAB_SECRET: 'declared' });
  });

  test('the plugin has no port to the host', async (t) => {
    const { deliver } = await running(t);
    assert.deepEqual(await deliver({ do: 'parent' }), { parentPort: true, workerData: true });
  });

  test('a plugin that patches JSON, MessagePort and console hurts only itself', async (t) => {
    const { deliver } = await running(t);
    assert.equal(await deliver({ do: 'patch' }), 'patched');
    assert.deepEqual(await deliver({ do: 'echo', value: { still: 'works' } }), { still: 'works' });
  });

  test('a plugin that changes its event changes its own copy', async (t) => {
    const { service } = await running(t);
    const handled = await service.deliver(
      { ingress: 'work', kind: 'do', payload: { do: 'mutate' }, correlationId: 'mine' },
      5000,
    );
    assert.equal(handled.correlationId, 'mine');
    assert.match(handled.eventId, /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  });

  test("console, stdout, stderr and ctx.log are lines of the plugin's log", async (t) => {
    const { deliver, logs } = await running(t);
    await deliver({ do: 'console', text: 'said' });
    await deliver({ do: 'log', text: 'logged' });
    const lines = logs.map(({ stream, text }) => `${stream}: ${text}`);
    for (const line of ['console: said', 'stdout: said out', 'stderr: said err', 'log: logged'])
      assert.ok(lines.includes(line), line);
    assert.ok(logs.find(({ text }) => text === 'logged')?.correlationId !== undefined);
  });

  test("a log flood is cut at the cell's budget and counted", async (t) => {
    const made = await running(t, { limits: { logBytesPerSecond: 4096 }, timeouts: { handleMs: 5000 } });
    await made.deliver({ do: 'log', text: 'x'.repeat(100), times: 5000 });
    assert.ok(made.logs.length < 200, `${String(made.logs.length)} lines came through`);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    assert.ok(made.service.status().log.droppedLines > 4500);
  });

  test("a payload that does not fit its ingress's schema fails in the cell, named by path", async (t) => {
    const { service } = await running(t);
    const strict = (payload: unknown): Promise<unknown> =>
      service.deliver({ ingress: 'strict', kind: 'do', payload }, 5000);
    await strict({ id: 1 });
    await assert.rejects(
      strict({ id: 'x', extra: 1 }),
      refusal('payload_invalid', ({ details }) => {
        assert.deepEqual((details['issues'] as { path: string }[]).map(({ path }) => path).sort(), [
          'payload.extra',
          'payload.id',
        ]);
      }),
    );
    assert.equal(service.status().counters.failed, 1);
  });

  test("the status holds the plugin's own word, and never waits for it", async (t) => {
    const { service, deliver } = await running(t);
    await deliver({ do: 'echo' });
    do await service.refreshReported();
    while ((service.status().reported?.value as { handled: number }).handled === 0);
    assert.deepEqual(service.status().reported?.value, { handled: 1 });
    const stuck = deliver({ do: 'loop' }).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 30));
    // The best of several: a busy machine may stop this process for longer, the loop would hold up all of them.
    const tookMs = Array.from({ length: 5 }, () => {
      const asked = performance.now();
      service.status();
      return performance.now() - asked;
    });
    assert.ok(Math.min(...tookMs) < 50, tookMs.join());
    const status = service.status();
    assert.equal(status.lifecycle, 'running');
    assert.ok((status.inFlight?.sinceMs ?? 0) >= 10);
    await stuck;
  });
}
