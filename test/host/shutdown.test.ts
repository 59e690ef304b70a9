// How the daemon ends its services: side by side, each within its own deadline, and visibly until the socket closes.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HostError } from '../../protocol/errors.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';
import { startTestDaemon } from '../labs/test-daemon.ts';
import { until } from '../labs/until.ts';

const manifest = (id: string, stopMs: number): object => ({
  schemaVersion: 1,
  id,
  name: id,
  version: '1.0.0',
  entry: './index.js',
  service: { ingresses: [{ name: 'in', kinds: ['any'] }], timeouts: { handleMs: 60_000, stopMs } },
});

/** Handles "wait" events by their time, "hang" events never, and notes in a file that its stop was called. */
const source = `
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
export const service = {
  start() {},
  handleIngress: ({ payload }) => (payload.do === 'hang' ? new Promise(() => {}) : sleep(payload.ms)),
  async stop(ctx) {
    appendFileSync(ctx.config.notes, ctx.plugin.id + ' begins\\n');
    await sleep(ctx.config.stopTakesMs ?? 0);
    appendFileSync(ctx.config.notes, ctx.plugin.id + ' stopped\\n');
  },
};
`;

interface Given {
  readonly stopMs: number;
  readonly stopTakesMs?: number;
}

async function daemonWith(t: TestContext, plugins: Readonly<Record<string, Given>>, shutdownMs: number) {
  const root = await temporaryFolder(t);
  const notes = join(root, 'notes.txt');
  for (const [id, { stopMs }] of Object.entries(plugins))
    await writeTree(join(root, id), {
      'package.json': { type: 'module' },
      'plugin.json': manifest(id, stopMs),
      'index.js': source,
    });
  const overrides = Object.fromEntries(
    Object.entries(plugins).map(([id, { stopTakesMs }]) => [id, { config: { notes, stopTakesMs } }]),
  );
  const daemon = await startTestDaemon(t, {
    plugins: [root],
    config: { limits: { shutdownMs }, plugins: { overrides } },
  });
  const client = await daemon.connect();
  const publish = (plugin: string, payload: object): Promise<unknown> =>
    client.call('ingress.publish', { plugin, event: { ingress: 'in', kind: 'any', payload } });
  return { daemon, client, publish, notes: () => readFile(notes, 'utf8') };
}

const ids = (count: number): string[] => Array.from({ length: count }, (_, n) => `hung.${String(n)}`);

test('three services that do not stop leave a healthy one the time of its own stop', async (t) => {
  const hung = ids(3);
  const { daemon, publish, notes } = await daemonWith(
    t,
    { healthy: { stopMs: 2000, stopTakesMs: 1000 }, ...Object.fromEntries(hung.map((id) => [id, { stopMs: 2000 }])) },
    5000,
  );
  for (const id of hung) await publish(id, { do: 'hang' });
  const began = Date.now();
  daemon.signal('SIGTERM');
  assert.deepEqual(await daemon.ended, { code: 0, signal: null });
  const tookMs = Date.now() - began;
  assert.ok(tookMs < 5000, `the end took ${String(tookMs)} ms`);
  assert.equal(await notes(), 'healthy begins\nhealthy stopped\n');
});

test('a service with a long queue still gets the time of its own stop within the shutdown', async (t) => {
  const { daemon, client, publish, notes } = await daemonWith(t, { busy: { stopMs: 60_000, stopTakesMs: 500 } }, 6000);
  for (let n = 0; n < 250; n += 1) await publish('busy', { do: 'wait', ms: 50 });
  await until(
    'an event is being handled',
    async () => (await client.call('service.status', { plugin: 'busy' })).inFlight !== null,
  );
  daemon.signal('SIGTERM');
  await daemon.ended;
  assert.equal(await notes(), 'busy begins\nbusy stopped\n');
});

test('status is answered while the daemon shuts down, on old and new connections, and everything else is refused', async (t) => {
  const { daemon, client, publish } = await daemonWith(t, { slow: { stopMs: 3000, stopTakesMs: 0 } }, 10_000);
  await publish('slow', { do: 'wait', ms: 1500 });
  await client.call('daemon.shutdown', {});
  const late = await daemon.connect();
  for (const one of [client, late]) {
    assert.equal((await one.call('service.status', { plugin: 'slow' })).lifecycle, 'stopping');
    assert.deepEqual(
      (await one.call('service.list', {})).services.map(({ lifecycle }) => lifecycle),
      ['stopping'],
    );
    assert.equal((await one.call('daemon.status', {})).state, 'shutting_down');
    await assert.rejects(
      publish('slow', {}),
      (error: unknown) => error instanceof HostError && error.code === 'shutting_down',
    );
  }
  await sleep(100);
  assert.equal((await late.call('service.status', { plugin: 'slow' })).pluginId, 'slow');
  assert.deepEqual(await daemon.ended, { code: 0, signal: null });
});
