// What was unloaded, restarted or still dying when the daemon is told to end: nothing of it may keep the daemon, and
// no service is left out of the stop.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type TestDaemon, startTestDaemon } from '../labs/test-daemon.ts';

const lab = fileURLToPath(new URL('../fixtures/services/lab', import.meta.url));
const event = (payload: object): object => ({ ingress: 'work', kind: 'do', payload });

/** The daemon was told to end: it is gone within its time. */
async function goneWithin(daemon: TestDaemon, ms: number): Promise<void> {
  const late = setTimeout(() => daemon.signal('SIGKILL'), ms);
  const began = Date.now();
  await daemon.ended;
  clearTimeout(late);
  assert.ok(Date.now() - began < ms, 'the daemon had to be killed');
}

const lifecycle = (daemon: TestDaemon): string[] =>
  daemon
    .log()
    .split('\n')
    .filter((line) => line.includes('"service '))
    .map((line) => (JSON.parse(line) as { msg: string }).msg.replace(/^service /, ''));

test('a thread that did not end is still counted when its plugin has been unloaded, and does not keep the daemon', async (t) => {
  const daemon = await startTestDaemon(t, { plugins: [lab], config: { limits: { killMs: 300, shutdownMs: 5000 } } });
  const client = await daemon.connect();
  await assert.rejects(client.call('ingress.deliver', { plugin: 'test.lab', event: event({ do: 'native' }) }));
  await client.call('plugin.unload', { plugin: 'test.lab' });
  assert.equal((await client.call('daemon.status', {})).counts.unkillable, 1);
  daemon.signal('SIGTERM');
  await goneWithin(daemon, 5000);
});

test('a daemon that is told to end while a thread is still being given up does not wait for that thread for ever', async (t) => {
  const daemon = await startTestDaemon(t, { plugins: [lab], config: { limits: { killMs: 1000, shutdownMs: 5000 } } });
  const client = await daemon.connect();
  await assert.rejects(client.call('ingress.deliver', { plugin: 'test.lab', event: event({ do: 'native' }) }));
  daemon.signal('SIGTERM');
  await goneWithin(daemon, 5000);
});

test('a service that only a restart has started is stopped with the daemon like any other', async (t) => {
  const daemon = await startTestDaemon(t, { plugins: [lab], config: { plugins: { autostart: false } } });
  const client = await daemon.connect();
  await client.call('service.restart', { plugin: 'test.lab' });
  daemon.signal('SIGTERM');
  await daemon.ended;
  assert.equal(lifecycle(daemon).at(-1), 'stopping → stopped (stopped)');
});

test('a restart that is under way when the daemon ends does not start the service again', async (t) => {
  const daemon = await startTestDaemon(t, { plugins: [lab] });
  const client = await daemon.connect();
  await client.call('ingress.publish', { plugin: 'test.lab', event: event({ do: 'sleep', ms: 200 }) });
  const restart = client.call('service.restart', { plugin: 'test.lab' });
  await Promise.all([assert.rejects(restart), client.call('daemon.shutdown', {})]);
  await daemon.ended;
  assert.equal(lifecycle(daemon).at(-1), 'stopping → stopped (stopped)');
});
