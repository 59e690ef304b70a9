// A service whose thread ends in a way no thread can hold comes back as a process, where its manifest asks for it. In a
// daemon of its own, because the thread in native code would keep a test's own process from ending.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Client } from '../../protocol/client/client.ts';
import { startTestDaemon } from '../labs/test-daemon.ts';
import { until } from '../labs/until.ts';

const lab = fileURLToPath(new URL('../fixtures/services/lab', import.meta.url));
const plugin = 'test.lab';

async function daemonWith(t: TestContext, limits: object, more: object = {}, killMs = 300): Promise<Client> {
  const restart = { policy: 'on-failure', intensity: 5, periodMs: 60_000, backoffMs: [1, 20] };
  const daemon = await startTestDaemon(t, {
    plugins: [lab],
    config: {
      limits: { killMs, shutdownMs: 5000 },
      plugins: { overrides: { [plugin]: { limits, restart, ...more } } },
    },
  });
  return daemon.connect();
}

const deliver = (client: Client, payload: object): Promise<{ output?: unknown }> =>
  client.call('ingress.deliver', { plugin, event: { ingress: 'work', kind: 'do', payload } });

test('a thread that sits in native code is followed by a process, and the timeline says so', async (t) => {
  const client = await daemonWith(t, { escalate: 'process' });
  await assert.rejects(deliver(client, { do: 'native' }));
  await until('the timeline says so', async () =>
    (await client.call('timeline.read', { plugin })).entries.some(({ event }) => event === 'escalated'),
  );
  // By then it had come back in a thread: only the next start is a process, and the status says what there is.
  await until('it is back', async () => (await client.call('service.status', { plugin })).lifecycle === 'running');
  const before = await client.call('service.status', { plugin });
  assert.equal(before.isolation, before.cell?.pid === undefined ? 'thread' : 'process');
  await client.call('service.restart', { plugin });
  assert.equal((await client.call('service.status', { plugin })).isolation, 'process');
  assert.equal((await deliver(client, { do: 'echo', value: 'from a process' })).output, 'from a process');
});

test('a service that does not ask for it stays in threads', async (t) => {
  const client = await daemonWith(t, {});
  await assert.rejects(deliver(client, { do: 'native' }));
  await until('the thread is given up', async () => (await client.call('service.status', { plugin })).unkillable === 1);
  await client.call('service.restart', { plugin });
  assert.equal((await client.call('service.status', { plugin })).isolation, 'thread');
  assert.ok(!(await client.call('timeline.read', { plugin })).entries.some(({ event }) => event === 'escalated'));
});

test('a thread that used up its heap is followed by a process, for good', async (t) => {
  const client = await daemonWith(
    t,
    { escalate: 'process', heapMb: 64, rssMb: 1024 },
    { timeouts: { handleMs: 120_000 }, retry: { maxAttempts: 1 } },
    4000,
  );
  await assert.rejects(deliver(client, { do: 'growingMap' }), { code: 'cell_crashed' });
  await until('it is back', async () => (await client.call('service.status', { plugin })).lifecycle === 'running');
  const { isolation, cell } = await client.call('service.status', { plugin });
  assert.equal(isolation, 'process');
  assert.equal(typeof cell?.pid, 'number');
  assert.match(
    (await client.call('timeline.read', { plugin })).entries.find(({ event }) => event === 'escalated')?.message ?? '',
    /runs in a process cell.*(heap_limit|out_of_memory)/,
  );
  await client.call('service.restart', { plugin });
  assert.equal((await client.call('service.status', { plugin })).isolation, 'process');
});
