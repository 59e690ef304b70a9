// The command that npm links sets what Node reads before the daemon's first line: the size of libuv's pool.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';
import { startTestDaemon } from '../labs/test-daemon.ts';

const skip = process.platform !== 'linux';
const threadsOf = (pid: number): number => readdirSync(`/proc/${String(pid)}/task`).length;

test('without a guardian the daemon has a pool of 32 threads, and its process cells have not', { skip }, async (t) => {
  const plugin = await temporaryFolder(t);
  await writeTree(plugin, {
    'plugin.json': {
      schemaVersion: 1,
      id: 'test.child',
      name: 'Child',
      version: '1.0.0',
      entry: './index.js',
      isolation: 'process',
      service: { ingresses: [{ name: 'in', kinds: ['do'] }] },
    },
    'index.js':
      'export const service = { start() {}, handleIngress: () => ({ size: process.env.UV_THREADPOOL_SIZE ?? null, pid: process.pid }) };\n',
  });
  const daemon = await startTestDaemon(t, { plugins: [plugin], launcher: true });
  const client = await daemon.connect();
  const { output } = await client.call('ingress.deliver', {
    plugin: 'test.child',
    event: { ingress: 'in', kind: 'do', payload: {} },
  });
  const { size, pid } = output as { size: unknown; pid: number };
  assert.equal(size, null);
  // What Node itself has is about ten.
  assert.ok(threadsOf(pid) < 32, `the cell has ${String(threadsOf(pid))} threads`);
  assert.ok(threadsOf(daemon.pid) > 32, `the daemon has ${String(threadsOf(daemon.pid))} threads`);
});

test('a size that the operator has set stays', { skip }, async (t) => {
  const daemon = await startTestDaemon(t, { launcher: true, env: { UV_THREADPOOL_SIZE: '5' } });
  assert.ok(threadsOf(daemon.pid) < 32, `the daemon has ${String(threadsOf(daemon.pid))} threads`);
});
