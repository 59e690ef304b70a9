// Events that only the disk holds: they can be asked for, those that wait for a retry are no more in memory than the
// queue's bound allows, and all of them come back.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Client } from '../../protocol/client/client.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { type TestDaemon, startTestDaemon } from '../labs/test-daemon.ts';
import { writePlugin } from '../labs/written-plugin.ts';
import { until } from '../labs/until.ts';

const plugin = 'test.large';

const code = `export const service = {
  start() {},
  handleIngress({ payload, attempt }) {
    if (payload.do === 'wait') return new Promise(() => {});
    if (payload.do === 'second' && attempt === 1) throw new Error('planned');
    return null;
  },
};
`;

async function daemonWith(
  t: TestContext,
  folder: string,
  override: object,
): Promise<{ readonly daemon: TestDaemon; readonly client: Client }> {
  const source = join(folder, 'plugin');
  writePlugin(source, {
    manifest: {
      id: plugin,
      service: {
        ingresses: [{ name: 'in', kinds: ['do'] }],
        queue: { durability: 'disk', capacity: 100_000 },
        timeouts: { handleMs: 600_000 },
      },
    },
    files: { 'index.js': code },
  });
  const config = { plugins: { overrides: { [plugin]: override } } };
  const daemon = await startTestDaemon(t, { plugins: [source], folder, config });
  return { daemon, client: await daemon.connect() };
}

const event = (payload: object, correlationId: string): object => ({
  ingress: 'in',
  kind: 'do',
  payload: { ...payload, fill: 'x'.repeat(1000) },
  correlationId,
});

async function publish(client: Client, events: readonly object[]): Promise<void> {
  // As many as may be on their way to the disk at once.
  for (let at = 0; at < events.length; at += 20) {
    const answer = await client.call('ingress.publish', { plugin, events: events.slice(at, at + 20) });
    assert.ok('results' in answer && answer.results.every(({ accepted }) => accepted));
  }
}

test('an event that is on disk alone is explained: where it stands, and each of those that share an id', async (t) => {
  const { client } = await daemonWith(t, await temporaryFolder(t), { queue: { maxBytes: 65_536 } });
  const count = 1000;
  const idOf = (n: number): string => (n % 300 === 299 ? 'shared' : `event-${String(n)}`);
  await publish(client, [event({ do: 'wait' }, 'runs')]);
  await publish(
    client,
    Array.from({ length: count }, (_, n) => event({}, idOf(n))),
  );
  const { queue } = await client.call('service.status', { plugin });
  assert.equal(queue.depth, count);
  assert.ok(queue.bytes <= 65_536 + 2000, `${String(queue.bytes)} bytes are in memory`);
  for (const n of [0, 500, count - 1]) {
    const { open } = await client.call('event.explain', { plugin, event: `event-${String(n)}` });
    assert.deepEqual(
      open.map(({ correlationId, state, attempt, ahead }) => [correlationId, state, attempt, ahead]),
      [[`event-${String(n)}`, 'queued', 1, n + 1]],
    );
    const { eventId = '' } = open[0] ?? {};
    const byId = await client.call('event.explain', { plugin, event: eventId });
    assert.deepEqual(
      byId.open.map(({ correlationId }) => correlationId),
      [`event-${String(n)}`],
    );
  }
  const shared = await client.call('event.explain', { plugin, event: 'shared' });
  assert.deepEqual(
    shared.open.map(({ ahead }) => ahead),
    [300, 600, 900],
  );
  assert.deepEqual((await client.call('event.explain', { plugin, event: 'nobody' })).open, []);
});

test('events that wait for a retry are in memory after a restart only as far as the bound allows, and all come again', async (t) => {
  const folder = await temporaryFolder(t);
  const count = 600;
  const retry = { backoffMs: [4000, 4000] };
  const first = await daemonWith(t, folder, { retry });
  await publish(
    first.client,
    Array.from({ length: count }, (_, n) => event({ do: 'second' }, `event-${String(n)}`)),
  );
  await until('all wait for their retry', async () => {
    const { counters, queue } = await first.client.call('service.status', { plugin });
    return counters.threw === count && queue.depth === count;
  });
  first.daemon.signal('SIGKILL');
  await first.daemon.ended;
  const maxBytes = 65_536;
  const second = await daemonWith(t, folder, { retry, queue: { maxBytes } });
  let mostBytes = 0;
  const look = async (): Promise<{ handled: number; dead: number; retrying: number; depth: number }> => {
    const { queue, counters, retrying } = await second.client.call('service.status', { plugin });
    mostBytes = Math.max(mostBytes, queue.bytes);
    return { handled: counters.handled, dead: counters.deadLettered, retrying: retrying.count, depth: queue.depth };
  };
  const begin = await look();
  assert.equal(begin.handled + begin.depth + begin.dead, count);
  await until('all are handled', async () => (await look()).handled === count, 60_000);
  assert.ok(mostBytes <= maxBytes * 1.5, `${String(mostBytes)} bytes were in memory`);
  const { queue, counters, retrying } = await second.client.call('service.status', { plugin });
  assert.deepEqual([queue.depth, queue.onDisk, retrying.count, counters.deadLettered], [0, 0, 0, 0]);
  assert.equal(counters.recovered, count);
});
