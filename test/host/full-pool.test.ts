// A plugin that fills libuv's pool of threads, which all of the daemon shares, keeps no other one from starting.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { daemonFindings } from '../../daemon/cli/doctor/running-daemon.ts';
import type { DaemonStatus } from '../../protocol/operations/daemon.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';
import { startTestDaemon } from '../labs/test-daemon.ts';
import { untilAnswer } from '../labs/until.ts';

const manifest = (id: string): object => ({
  schemaVersion: 1,
  id,
  name: 'Plugin',
  version: '1.0.0',
  entry: './index.js',
  service: { ingresses: [{ name: 'in', kinds: ['do'] }] },
  tools: ['pooled', 'fresh'].map((name) => ({ name, isolation: name })),
});

const filling = `
import { pbkdf2 } from 'node:crypto';
let left = 0;
const handleIngress = ({ payload }) => {
  if (payload.fill) for (let job = 0; job < (payload.jobs ?? 12); job += 1) { left += 1; pbkdf2('secret', 'salt', payload.iterations ?? 12_000_000, 64, 'sha512', () => { left -= 1; }); }
  return left;
};
export const service = { start() {}, handleIngress };
export const tools = { pooled: () => 'here', fresh: () => 'here' };
`;

const plain = `
import { value } from './other.js';
export const service = { start() {}, handleIngress: () => value };
export const tools = { pooled: () => value, fresh: () => value };
`;

test('a plugin is loaded and reloaded while another one has filled the pool', async (t) => {
  const [filler, late] = [await temporaryFolder(t), await temporaryFolder(t)];
  await writeTree(filler, { 'plugin.json': manifest('test.filler'), 'index.js': filling });
  const withSchema = { ...manifest('test.late'), tools: [{ name: 'fresh', inputSchema: { type: 'object' } }] };
  await writeTree(late, { 'plugin.json': withSchema, 'index.js': plain, 'other.js': 'export const value = "here";\n' });
  const daemon = await startTestDaemon(t, { plugins: [filler], env: { UV_THREADPOOL_SIZE: '4' } });
  const client = await daemon.connect();
  const deliver = (plugin: string, payload: object): Promise<{ output: unknown }> =>
    client.call('ingress.deliver', { plugin, event: { ingress: 'in', kind: 'do', payload } });
  await deliver('test.filler', { fill: true });
  await client.call('plugin.load', { path: late });
  await client.call('service.start', { plugin: 'test.late' });
  assert.equal((await deliver('test.late', {})).output, 'here');
  await client.call('plugin.reload', { plugin: 'test.late' });
  assert.equal((await deliver('test.late', {})).output, 'here');
  const left = (await deliver('test.filler', {})).output;
  assert.ok(typeof left === 'number' && left >= 4, `the pool was full all the time: ${String(left)} jobs are left`);
  daemon.signal('SIGKILL');
});

test('services restart and tools start in new threads while a plugin has filled the pool', async (t) => {
  const [filler, neighbour] = [await temporaryFolder(t), await temporaryFolder(t)];
  await writeTree(filler, { 'plugin.json': manifest('test.filler'), 'index.js': filling });
  await writeTree(neighbour, {
    'plugin.json': manifest('test.neighbour'),
    'index.js': plain,
    'other.js': 'export const value = "here";\n',
  });
  const daemon = await startTestDaemon(t, { plugins: [filler, neighbour], env: { UV_THREADPOOL_SIZE: '4' } });
  const client = await daemon.connect();
  const deliver = (plugin: string, payload: object): Promise<{ output: unknown }> =>
    client.call('ingress.deliver', { plugin, event: { ingress: 'in', kind: 'do', payload } });
  await deliver('test.filler', { fill: true });
  await client.call('service.restart', { plugin: 'test.neighbour' });
  assert.equal((await deliver('test.neighbour', {})).output, 'here');
  for (const tool of ['pooled', 'fresh'])
    assert.equal((await client.call('tool.call', { plugin: 'test.neighbour', tool, input: {} })).output, 'here');
  const left = (await deliver('test.filler', {})).output;
  assert.ok(typeof left === 'number' && left >= 4, `the pool was full all the time: ${String(left)} jobs are left`);
  daemon.signal('SIGKILL');
});

for (const [jobs, threads, iterations] of [
  [8, 4, 2_500_000],
  [40, 32, 700_000],
] as const) {
  test(
    `a pool of ${String(threads)} threads that ${String(jobs)} jobs of one plugin fill is told with its name, and told again when it is over`,
    { timeout: 120_000 },
    async (t) => {
      const [filler, neighbour] = [await temporaryFolder(t), await temporaryFolder(t)];
      await writeTree(filler, { 'plugin.json': manifest('test.filler'), 'index.js': filling });
      await writeTree(neighbour, {
        'plugin.json': manifest('test.neighbour'),
        'index.js': plain,
        'other.js': 'export const value = "here";\n',
      });
      const daemon = await startTestDaemon(t, {
        plugins: [filler, neighbour],
        env: { UV_THREADPOOL_SIZE: String(threads) },
      });
      const client = await daemon.connect();
      assert.deepEqual((await client.call('daemon.status', {})).threadPool, { threads, fullSince: null, suspects: [] });
      await client.call('ingress.deliver', {
        plugin: 'test.neighbour',
        event: { ingress: 'in', kind: 'do', payload: {} },
      });
      await client.call('ingress.deliver', {
        plugin: 'test.filler',
        event: { ingress: 'in', kind: 'do', payload: { fill: true, jobs, iterations } },
      });
      const until = (what: string, holds: (status: DaemonStatus) => boolean): Promise<DaemonStatus> =>
        untilAnswer(what, () => client.call('daemon.status', {}), holds);
      const full = await until('somebody is suspected', ({ threadPool }) => threadPool.suspects.length > 0);
      const requests = full.threadPool.suspects[0]?.requests ?? 0;
      assert.deepEqual(full.threadPool.suspects, [{ plugin: 'test.filler', requests }]);
      assert.ok(requests > 0 && requests <= jobs, String(requests));
      assert.match(
        daemonFindings(full, daemon.socket)
          .map(({ message }) => message)
          .join('\n'),
        new RegExp(`pool of ${String(threads)} threads is full.*test\\.filler \\(${String(requests)} requests\\)`),
      );
      await until('the pool has room again', ({ threadPool }) => threadPool.fullSince === null);
      while (!daemon.log().includes('takes requests again')) await sleep(50);
      assert.match(
        daemon.log(),
        new RegExp(
          `pool of ${String(threads)} threads is full.*likely filled by test\\.filler with ${String(requests)} requests`,
        ),
      );
      const { entries } = await client.call('timeline.read', { plugin: 'test.filler' });
      assert.deepEqual(
        entries.filter(({ event }) => event === 'thread_pool_full').map(({ data }) => data),
        [{ requests }],
      );
    },
  );
}

test(
  'a plugin whose thread cannot end because its jobs fill the pool is named without anybody being asked',
  { timeout: 120_000 },
  async (t) => {
    const folder = await temporaryFolder(t);
    const waits = `import { pbkdf2 } from 'node:crypto';
export const service = { start() {}, handleIngress: () => Promise.all(Array.from({ length: 8 }, () => new Promise((resolve) => pbkdf2('secret', 'salt', 6_000_000, 64, 'sha512', resolve)))) };
`;
    const declared = manifest('test.waiter') as { readonly service: object };
    await writeTree(folder, {
      'plugin.json': { ...declared, service: { ...declared.service, timeouts: { handleMs: 300 } } },
      'index.js': waits,
    });
    const daemon = await startTestDaemon(t, { plugins: [folder], env: { UV_THREADPOOL_SIZE: '4' } });
    const client = await daemon.connect();
    await assert.rejects(
      client.call('ingress.deliver', { plugin: 'test.waiter', event: { ingress: 'in', kind: 'do', payload: {} } }),
      { code: 'dispatch_timeout' },
    );
    for (;;) {
      const { threadPool } = await client.call('daemon.status', {});
      if (threadPool.suspects.length > 0) {
        assert.deepEqual(threadPool.suspects, [{ plugin: 'test.waiter', requests: null }]);
        break;
      }
      await sleep(50);
    }
    daemon.signal('SIGKILL');
  },
);

test("a plugin's log goes on being written to its file while another plugin has filled the pool", async (t) => {
  const [filler, writer] = [await temporaryFolder(t), await temporaryFolder(t)];
  await writeTree(filler, { 'plugin.json': manifest('test.filler'), 'index.js': filling });
  await writeTree(writer, {
    'plugin.json': manifest('test.writer'),
    'index.js':
      'export const service = { start() {}, handleIngress: ({ payload }, ctx) => ctx.log.info(payload.line) };',
  });
  const daemon = await startTestDaemon(t, { plugins: [filler, writer], env: { UV_THREADPOOL_SIZE: '4' } });
  const client = await daemon.connect();
  const deliver = (plugin: string, payload: object): Promise<{ output: unknown }> =>
    client.call('ingress.deliver', { plugin, event: { ingress: 'in', kind: 'do', payload } });
  const file = join(daemon.folder, 'state', 'logs', 'test.writer.ndjson');
  const written = async (line: string): Promise<void> => {
    await deliver('test.writer', { line });
    while (!readFileSync(file, 'utf8').includes(line)) await sleep(5);
  };
  await written('before');
  await deliver('test.filler', { fill: true });
  for (const line of ['first', 'second', 'third']) await written(line);
  const left = (await deliver('test.filler', {})).output;
  assert.ok(typeof left === 'number' && left >= 4, `the pool was full all the time: ${String(left)} jobs are left`);
  daemon.signal('SIGKILL');
});
