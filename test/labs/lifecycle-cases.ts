// Starting and stopping a service in a real cell, whichever kind: every way a start or a stop can go.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Isolation } from '../../protocol/manifest.ts';
import { type Lab, lab, refusal } from './service-lab.ts';

export function lifecycleCases(isolation: Isolation): void {
  async function made(t: TestContext, override: Record<string, unknown> = {}): Promise<Lab> {
    const one = await lab({ isolation, ...override });
    t.after(() => one.service.stop({ now: true }).catch(() => {}));
    return one;
  }

  test('a service that was never started is unavailable, and its status is there all the same', async (t) => {
    const { service, publish } = await made(t);
    assert.throws(
      () => publish({}),
      refusal('service_unavailable', ({ details }) => assert.equal(details['lifecycle'], 'ready')),
    );
    const { lifecycle, incarnation, cell, counters, lastError } = service.status();
    assert.deepEqual({ lifecycle, incarnation, cell }, { lifecycle: 'ready', incarnation: 0, cell: null });
    assert.equal(counters.rejected.notAccepting, 1);
    assert.equal(lastError?.code, 'service_unavailable');
  });

  test('starting twice is one start', async (t) => {
    const { service } = await made(t);
    await Promise.all([service.start(), service.start()]);
    await service.start();
    assert.equal(service.status().incarnation, 1);
  });

  test('what is published while a service starts is handled once it runs', async (t) => {
    const { service, publish, deliver } = await made(t, { config: { startAs: 'slow', ms: 200 } });
    const start = service.start();
    for (let n = 0; n < 10; n += 1) publish({ n, do: 'echo' });
    assert.equal(service.lifecycle, 'starting');
    assert.equal(service.status().queue.depth, 10);
    await start;
    assert.deepEqual(await deliver({ do: 'seen' }), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, null]);
  });

  for (const [how, code, override] of [
    ['throw', 'start_failed', {}],
    ['exit', 'start_failed', {}],
    ['hang', 'start_timeout', { timeouts: { startMs: 2000 } }],
    ['loop', 'start_timeout', { timeouts: { startMs: 2000 } }],
  ] as const) {
    test(`a start that ${how}s leaves the service failed with ${code}, and it can be tried again`, async (t) => {
      const { service, feed } = await made(t, { config: { startAs: how }, ...override });
      await assert.rejects(service.start(), refusal(code));
      assert.equal(service.lifecycle, 'failed');
      assert.equal(service.status().lastError?.code, code);
      // A start that loops is found by its place; of one that waits there is no frame.
      if (how === 'loop')
        assert.match(
          service.status().lastError?.message ?? '',
          /it was in its start: blocked in index\.js:\d+:\d+, start/,
        );
      if (how === 'hang')
        assert.match(
          service.status().lastError?.message ?? '',
          /it was in its start(?:: waiting for something that did not come.*)?\.$/,
        );
      assert.deepEqual(
        feed.filter(({ topic }) => topic === 'lifecycle').map(({ data }) => data['to']),
        ['starting', 'failed'],
      );
      await assert.rejects(service.start(), refusal(code));
      assert.equal(service.status().incarnation, 2);
    });
  }

  test("a stop drains what is queued before the plugin's own stop", async (t) => {
    const { service, publish } = await made(t);
    await service.start();
    for (let n = 0; n < 20; n += 1) publish({ n, do: 'sleep', ms: 10 });
    const stopping = service.stop();
    assert.equal(service.lifecycle, 'stopping');
    assert.throws(() => publish({}), refusal('service_stopped'));
    await stopping;
    const { lifecycle, counters } = service.status();
    assert.equal(lifecycle, 'stopped');
    assert.equal(counters.handled, 20);
    assert.throws(() => publish({}), refusal('service_stopped'));
  });

  test("a queue too long for the stop's deadline is kept for the next start", async (t) => {
    const { service, publish, deliver } = await made(t, { timeouts: { stopMs: 150 } });
    await service.start();
    for (let n = 0; n < 60; n += 1) publish({ n, do: 'sleep', ms: 20 });
    const { kept, discarded, error } = await service.stop();
    const { lifecycle, counters, queue } = service.status();
    assert.deepEqual([lifecycle, error, discarded, queue.depth], ['stopped', undefined, 0, kept]);
    assert.equal(counters.handled + kept, 60);
    assert.ok(counters.handled > 0 && kept > 20, `${String(kept)} were kept`);
    await service.start();
    const seen = (await deliver({ do: 'seen' })) as (number | null)[];
    assert.deepEqual(seen, [...Array.from({ length: kept }, (_, at) => 60 - kept + at), null]);
  });

  test('an event that does not end keeps a stop no longer than its deadline; the service is stopped and the event is kept', async (t) => {
    const { service, publish } = await made(t, { timeouts: { handleMs: 20_000, stopMs: 200 } });
    await service.start();
    publish({ do: 'loop' });
    const began = performance.now();
    const { kept, discarded, error } = await service.stop();
    assert.ok(performance.now() - began < 3000);
    assert.deepEqual([error?.code, error?.details['phase'], kept, discarded], ['stop_timeout', 'draining', 1, 0]);
    const { lifecycle, lastError, counters } = service.status();
    assert.deepEqual([lifecycle, lastError?.code, counters.dispatched], ['stopped', 'stop_timeout', 1]);
  });

  for (const how of ['hang', 'loop'] as const) {
    test(`a plugin's stop that ${how}s is ended at its deadline, and the service is stopped all the same`, async (t) => {
      const { service } = await made(t, { config: { stopAs: how }, timeouts: { stopMs: 200 } });
      await service.start();
      const { error } = await service.stop();
      assert.deepEqual([error?.code, error?.details['phase']], ['stop_timeout', 'stop']);
      assert.deepEqual([service.lifecycle, service.status().lastError?.code], ['stopped', 'stop_timeout']);
    });
  }

  test("a plugin's stop that throws still leaves the service stopped, with the error told", async (t) => {
    const { service } = await made(t, { config: { stopAs: 'throw' } });
    await service.start();
    await service.stop();
    const { lifecycle, lastError } = service.status();
    assert.equal(lifecycle, 'stopped');
    assert.equal(lastError?.code, 'stop_failed');
  });

  test('a stop during the start ends the start', async (t) => {
    const { service } = await made(t, { config: { startAs: 'hang' } });
    const start = assert.rejects(service.start(), refusal('service_stopped'));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await service.stop();
    await start;
    assert.equal(service.lifecycle, 'stopped');
  });

  test('stopping twice is one stop, and stopping what never ran is none', async (t) => {
    const { service } = await made(t);
    await service.stop();
    assert.equal(service.lifecycle, 'ready');
    await service.start();
    await Promise.all([service.stop(), service.stop({ now: true })]);
    await service.stop();
    assert.equal(service.lifecycle, 'stopped');
  });

  test('a restart gives the next incarnation, also of a failed service', async (t) => {
    const { service, deliver } = await made(t);
    await service.start();
    await service.restart();
    assert.equal(service.status().incarnation, 2);
    await assert.rejects(deliver({ do: 'exit', code: 1 }), refusal('cell_crashed'));
    await service.restart();
    assert.equal(service.status().incarnation, 3);
    assert.equal(service.status().counters.restarts, 2);
    assert.equal(await deliver({ do: 'echo', value: 'back' }), 'back');
  });

  test("a caller's own deadline withdraws an event that has not begun, also from its cell's batch, and leaves one that has", async (t) => {
    const { service, deliver, publish } = await made(t, { timeouts: { handleMs: 5000 } });
    await service.start();
    const running = assert.rejects(
      deliver({ n: 0, do: 'sleep', ms: 400 }, 100),
      refusal('dispatch_timeout', ({ message, details }) => {
        assert.deepEqual([details['phase'], details['withdrawn']], ['running', false]);
        assert.match(message, /goes on without its caller/);
      }),
    );
    const withdrawn = Array.from({ length: 60 }, (_, n) => n + 1).filter((n) => n % 2 === 0);
    const waiting: Promise<void>[] = [];
    for (let n = 1; n <= 60; n += 1) {
      if (!withdrawn.includes(n)) publish({ n, do: 'echo' });
      else
        waiting.push(
          assert.rejects(
            deliver({ n, do: 'echo' }, 100),
            refusal('dispatch_timeout', ({ message, details }) => {
              assert.deepEqual([details['phase'], details['withdrawn']], ['queued', true]);
              assert.match(message, /has been withdrawn/);
            }),
          ),
        );
    }
    await Promise.all([running, ...waiting]);
    assert.deepEqual([service.status().counters.discarded, service.status().queue.depth], [30, 30]);
    const seen = (await deliver({ do: 'seen' })) as (number | null)[];
    assert.deepEqual(seen, [0, ...Array.from({ length: 30 }, (_, at) => 2 * at + 1), null]);
    const { counters, queue, inFlight } = service.status();
    assert.deepEqual(
      [counters.handled, counters.dispatched, queue.depth, inFlight, service.lifecycle],
      [32, 32, 0, null, 'running'],
    );
  });

  test('a queue for one event says in the singular that it is full', async (t) => {
    const { service, publish } = await made(t, { queue: { capacity: 1 }, timeouts: { handleMs: 5000 } });
    await service.start();
    publish({ do: 'sleep', ms: 300 });
    publish({ do: 'echo' });
    assert.throws(
      () => publish({}),
      refusal('queue_full', ({ message }) =>
        assert.match(message, /^The queue of test\.lab is full: 1 event waits\. /),
      ),
    );
  });

  test('a queue at capacity refuses the next event and says when to try again', async (t) => {
    const { service, publish } = await made(t, { queue: { capacity: 3 }, timeouts: { handleMs: 5000 } });
    await service.start();
    publish({ do: 'sleep', ms: 300 });
    for (let n = 0; n < 3; n += 1) publish({ do: 'echo' });
    assert.throws(
      () => publish({}),
      refusal('queue_full', ({ details, retryable }) => {
        assert.equal(details['capacity'], 3);
        assert.ok(Number(details['retryAfterMs']) >= 1);
        assert.equal(retryable, true);
      }),
    );
    while (service.status().inFlight === null) await new Promise((resolve) => setTimeout(resolve, 2));
    const { queue, counters, lastError, diagnostics } = service.status();
    assert.deepEqual([queue.depth, queue.capacity, queue.highWater], [3, 3, 3]);
    assert.equal(counters.rejected.queueFull, 1);
    assert.equal(lastError?.code, 'queue_full');
    assert.equal(diagnostics.at(-1)?.event, 'queue_full');
  });

  test('a queue is bounded in bytes too', async (t) => {
    const { service, publish } = await made(t, { queue: { maxBytes: 100_000 }, timeouts: { handleMs: 5000 } });
    await service.start();
    publish({ do: 'sleep', ms: 300 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.throws(
      () => {
        for (let n = 0; n < 4; n += 1) publish({ value: 'x'.repeat(60_000) });
      },
      refusal('queue_full', ({ details }) => assert.equal(details['limit'], 'queue.maxBytes')),
    );
  });

  for (const [what, event, path] of [
    ['no object', 'text', ''],
    ['an unknown field', { ingress: 'work', kind: 'do', payloud: 1 }, 'payloud'],
    ['an undeclared ingress', { ingress: 'wrok', kind: 'do' }, 'ingress'],
    ['an undeclared kind', { ingress: 'work', kind: 'dont' }, 'kind'],
    ['a payload that is too large', { ingress: 'work', kind: 'do', payload: 'x'.repeat(300_000) }, 'payload'],
    ["an attempt, which is the host's to count", { ingress: 'work', kind: 'do', attempt: 2 }, 'attempt'],
    ["an event id, which is the host's to give", { ingress: 'work', kind: 'do', eventId: 'mine' }, 'eventId'],
    ['a date that is none', { ingress: 'work', kind: 'do', createdAt: 'yesterday' }, 'createdAt'],
  ] as const) {
    test(`an event with ${what} is refused with the path of it`, async (t) => {
      const { service } = await made(t);
      await service.start();
      assert.throws(
        () => service.publish(event),
        refusal('invalid_event', ({ details }) =>
          assert.equal((details['issues'] as { path: string }[])[0]?.path, path),
        ),
      );
      assert.equal(service.status().counters.rejected.invalidEvent, 1);
      assert.equal(service.status().counters.enqueued, 0);
    });
  }

  test('a flood of one refusal does not wash the diagnostics out', async (t) => {
    const { service, publish } = await made(t);
    await service.start();
    await service.stop();
    for (let n = 0; n < 1000; n += 1) assert.throws(() => publish({}));
    const { diagnostics } = service.status();
    assert.match(diagnostics.at(-1)?.message ?? '', /1000 times/);
    assert.ok(diagnostics.some(({ event }) => event === 'running'));
  });
}
