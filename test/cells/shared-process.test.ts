// What all thread cells share because they live in one process: a plugin that takes its memory or its descriptors is
// ended with a typed error, and its neighbour goes on.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../protocol/client/client.ts';
import { HostError } from '../../protocol/errors.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';
import { startTestDaemon } from '../labs/test-daemon.ts';

const code = `
import { setTimeout as sleep } from 'node:timers/promises';
import { createSecretKey } from 'node:crypto';
import net from 'node:net';
const kept = [];
const kinds = {
  shared: () => { const memory = new SharedArrayBuffer(16 << 20); new Uint8Array(memory).fill(1); kept.push(memory); },
  wasm: () => { const memory = new WebAssembly.Memory({ initial: 256, maximum: 256, shared: true }); new Uint8Array(memory.buffer).fill(1); kept.push(memory); },
  blob: () => kept.push(new Blob([Buffer.alloc(16 << 20, 1)])),
  unread: () => { const { port1, port2 } = new MessageChannel(); port1.postMessage(Buffer.alloc(16 << 20, 1)); kept.push(port1, port2); },
  keys: () => { for (let at = 0; at < 32; at += 1) kept.push(createSecretKey(Buffer.alloc(1 << 20, 1))); },
};
async function deed({ kind }) {
  if (kind === 'hello') return 'hello';
  if (kind === 'sockets') {
    const server = net.createServer().listen(0, '127.0.0.1');
    await new Promise((listening) => server.once('listening', listening));
    for (let at = 0; at < 400; at += 1) {
      kept.push(net.connect(server.address().port, '127.0.0.1').on('error', () => {}));
      if (at % 20 === 0) await sleep(5);
    }
    await sleep(20_000);
    return 'all open';
  }
  for (let at = 0; at < 60; at += 1) {
    kinds[kind]();
    await sleep(30);
  }
  await sleep(2000);
  return 'all kept';
}
export const service = { start() {}, handleIngress: ({ payload }) => deed(payload) };
export const tools = { pooled: deed, fresh: deed };
`;

async function startLeaky(
  t: TestContext,
  isolation: 'thread' | 'process' = 'thread',
  id = 'test.leaky',
): Promise<{ client: Client; log(): string }> {
  const manifest = (pluginId: string): object => ({
    schemaVersion: 1,
    id: pluginId,
    name: 'Leaky',
    version: '1.0.0',
    entry: './index.js',
    isolation,
    limits: { rssMb: 192, descriptors: 300 },
    service: { ingresses: [{ name: 'in', kinds: ['do'] }], timeouts: { handleMs: 30_000 }, retry: { maxAttempts: 1 } },
    tools: ['pooled', 'fresh'].map((name) => ({ name, isolation: name, timeoutMs: 30_000 })),
  });
  const leaky = await temporaryFolder(t);
  const neighbour = await temporaryFolder(t);
  await writeTree(leaky, { 'plugin.json': manifest(id), 'index.js': code });
  await writeTree(neighbour, { 'plugin.json': manifest('test.neighbour'), 'index.js': code });
  const daemon = await startTestDaemon(t, { plugins: [leaky, neighbour] });
  return { client: await daemon.connect(), log: () => daemon.log() };
}

const deliver = (client: Client, plugin: string, kind: string): Promise<{ output: unknown }> =>
  client.call('ingress.deliver', {
    plugin,
    event: { ingress: 'in', kind: 'do', payload: { kind } },
    timeoutMs: 40_000,
  });

async function refusal(promise: Promise<unknown>): Promise<HostError> {
  try {
    assert.fail(`it was answered ${JSON.stringify(await promise)}`);
  } catch (thrown) {
    assert.ok(thrown instanceof HostError, String(thrown));
    return thrown;
  }
}

async function neighbourAnswers(client: Client): Promise<void> {
  assert.equal((await deliver(client, 'test.neighbour', 'hello')).output, 'hello');
  const { incarnation, counters } = await client.call('service.status', { plugin: 'test.neighbour' });
  assert.deepEqual({ incarnation, crashed: counters.crashed }, { incarnation: 1, crashed: 0 });
}

for (const kind of ['shared', 'wasm', 'blob', 'unread', 'keys']) {
  test(`a cell that keeps memory outside its heap (${kind}) is ended for it`, async (t) => {
    const { client } = await startLeaky(t);
    const error = await refusal(deliver(client, 'test.leaky', kind));
    assert.equal(error.code, 'cell_crashed');
    assert.match(error.message, /no cell accounts for|MB outside it/);
    assert.match(error.message, /limits\.rssMb allows 192/);
    await neighbourAnswers(client);
  });
}

for (const tool of ['pooled', 'fresh']) {
  test(`a ${tool} tool that keeps shared memory is ended for it`, async (t) => {
    const { client } = await startLeaky(t);
    const error = await refusal(client.call('tool.call', { plugin: 'test.leaky', tool, input: { kind: 'shared' } }));
    assert.equal(error.code, 'tool_crashed');
    assert.match(error.message, /no cell accounts for/);
    await neighbourAnswers(client);
  });
}

for (const isolation of ['thread', 'process'] as const) {
  test(`a ${isolation} that opens more sockets than its bound is ended with the count`, async (t) => {
    const { client } = await startLeaky(t, isolation);
    const error = await refusal(deliver(client, 'test.leaky', 'sockets'));
    assert.equal(error.code, 'cell_crashed');
    assert.match(error.message, /descriptors open; limits\.descriptors allows 300/);
    await neighbourAnswers(client);
    const byMs = performance.now() + 10_000;
    for (;;) {
      const { descriptors } = await client.call('daemon.status', {});
      if (descriptors.open === null || descriptors.open < 200) break;
      assert.ok(performance.now() < byMs, `${String(descriptors.open)} are still open`);
      await sleep(50);
    }
  });
}
