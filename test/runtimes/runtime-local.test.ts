// The daemon's services seen as workers: what can be done with them is done, what cannot is refused, and nothing about
// them looks like a worker of the embedded runtime.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Client } from '../../protocol/client/client.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';
import { refusal } from '../labs/runtime-lab.ts';
import { startTestDaemon } from '../labs/test-daemon.ts';

const address = { runtimeId: 'local', workerId: 'test.keeper' };

const source = `
const kept = [];
export const service = {
  start() {},
  async handleIngress({ kind, source, payload, eventId }) {
    if (kind === 'recall') return kept;
    if (payload.text === 'throw') throw new Error('SECRET words of the plugin');
    if (payload.text === 'hang') await new Promise(() => {});
    kept.push({ kind, source, payload, eventId });
  },
};`;

async function daemonWith(t: TestContext, queue = { capacity: 2 }, autostart = true): Promise<Client> {
  const folder = await temporaryFolder(t);
  const section = (ingresses: object[]): object => ({
    ingresses,
    queue,
    timeouts: { startMs: 20_000, handleMs: 20_000, stopMs: 500 },
    restart: { policy: 'never' },
  });
  const manifest = (id: string, service: object): object => ({
    schemaVersion: 1,
    id,
    name: `The ${id}`,
    version: '1.0.0',
    description: 'keeps things',
    entry: './index.js',
    service,
  });
  await writeTree(folder, {
    'keeper/package.json': { type: 'module' },
    'keeper/plugin.json': manifest(
      'test.keeper',
      section([
        { name: 'odd', kinds: ['recall'] },
        { name: 'messages', kinds: ['text', 'system'] },
      ]),
    ),
    'keeper/index.js': source,
    'other/package.json': { type: 'module' },
    'other/plugin.json': manifest('test.other', section([{ name: 'hooks', kinds: ['push'] }])),
    'other/index.js': source,
  });
  const daemon = await startTestDaemon(t, {
    plugins: [`${folder}/keeper`, `${folder}/other`],
    config: { plugins: { autostart } },
  });
  return await daemon.connect();
}

test('a service is listed and shown as a worker of the kind local-compatibility, and only there', async (t) => {
  const client = await daemonWith(t);
  const { runtimes } = await client.call('runtime.list', {});
  assert.deepEqual(
    runtimes.map(({ runtimeId, kind }) => [runtimeId, kind]),
    [
      ['backend-internal', 'embedded'],
      ['local', 'local-compatibility'],
    ],
  );
  const [embedded, local] = runtimes;
  assert.equal(embedded?.workers.total, 0, 'services are no workers of the embedded runtime');
  assert.deepEqual(local?.workers, { total: 2, idle: 2, busy: 0, stopped: 0, failed: 0 });
  assert.equal(local?.diagnostics[0]?.code, 'compatibility');
  const { workers } = await client.call('runtime.workers', { runtimeId: 'local' });
  assert.deepEqual(
    workers.map(({ workerId, displayName, profile }) => [workerId, displayName, profile]),
    [
      ['test.keeper', 'The test.keeper', null],
      ['test.other', 'The test.other', null],
    ],
  );
  const worker = await client.call('worker.show', address);
  assert.equal(worker.implementation.kind, 'local-compatibility');
  assert.equal(
    (await refusal(() => client.call('worker.show', { ...address, runtimeId: 'backend-internal' }))).code,
    'worker_not_found',
  );
  assert.doesNotMatch(JSON.stringify([runtimes, workers, worker]), /\/tmp|\.sock|index\.js/);
});

test("an input is an event of the ingress that takes its kind, with the answer's eventId as its correlation id", async (t) => {
  const client = await daemonWith(t, { capacity: 100 });
  const first = await client.call('worker.input', { ...address, content: 'hello', inputId: 'a' });
  const second = await client.call('worker.input', { ...address, kind: 'system', content: 'be kind' });
  assert.deepEqual(
    await client.call('worker.input', { ...address, content: 'hello', inputId: 'a' }),
    first,
    'a repeated inputId is one event',
  );
  const { output } = await client.call('ingress.deliver', {
    plugin: 'test.keeper',
    event: { ingress: 'odd', kind: 'recall' },
  });
  assert.deepEqual(output, [
    { kind: 'text', source: 'worker-input', payload: { text: 'hello' }, eventId: first.eventId },
    { kind: 'system', source: 'worker-input', payload: { text: 'be kind' }, eventId: second.eventId },
  ]);
  assert.deepEqual([first.sequence, second.sequence], [1, 2]);
  for (const kind of ['user', 'system'] as const) {
    assert.equal(
      (await refusal(() => client.call('worker.input', { ...address, workerId: 'test.other', kind, content: 'x' })))
        .code,
      'unsupported_operation',
    );
  }
});

test('each service says by itself which inputs it takes', async (t) => {
  const client = await daemonWith(t);
  const taken = async (workerId: string): Promise<unknown> => {
    const { capabilities, inputs } = await client.call('worker.show', { ...address, workerId });
    return [capabilities.canSendInput, inputs.kinds];
  };
  assert.deepEqual(await taken('test.keeper'), [true, ['user', 'system']]);
  assert.deepEqual(await taken('test.other'), [false, []]);
});

test('a stop of a service that never ran has nothing to do', async (t) => {
  const client = await daemonWith(t, { capacity: 2 }, false);
  assert.equal((await client.call('service.status', { plugin: 'test.keeper' })).lifecycle, 'ready');
  assert.deepEqual(await client.call('worker.stop', address), { ...address, state: 'stopped', changed: false });
});

test('what a service refuses is said in the words of a worker', async (t) => {
  const client = await daemonWith(t);
  await client.call('worker.input', { ...address, content: 'hang' });
  for (let count = 0; count < 2; count += 1) await client.call('worker.input', { ...address, content: 'waits' });
  const full = await refusal(() => client.call('worker.input', { ...address, content: 'too many' }));
  assert.equal(full.code, 'worker_busy');
  assert.ok(Number(full.details['retryAfterMs']) > 0);
  assert.equal((await client.call('worker.show', address)).state, 'busy');
  assert.equal(
    (await refusal(() => client.call('worker.input', { ...address, workerId: 'test.nothing', content: 'x' }))).code,
    'worker_not_found',
  );
});

test('a stop is begun at once, comes to its end, and the next input is refused', async (t) => {
  const client = await daemonWith(t);
  assert.equal((await client.call('worker.stop', address)).changed, true);
  for (let tries = 0; (await client.call('worker.show', address)).state !== 'stopped'; tries += 1)
    assert.ok(tries < 10_000, 'it stops');
  assert.deepEqual(await client.call('worker.stop', address), { ...address, state: 'stopped', changed: false });
  assert.equal((await refusal(() => client.call('worker.input', { ...address, content: 'x' }))).code, 'worker_stopped');
  assert.equal((await client.call('service.status', { plugin: 'test.keeper' })).lifecycle, 'stopped');
});

test("what needs a conversation is refused, and a plugin's own words do not reach the diagnostics", async (t) => {
  const client = await daemonWith(t);
  for (const attempt of [
    () => client.call('worker.create', { runtimeId: 'local', intent: 'x' }),
    () => client.call('worker.cancel', address),
    () => client.call('worker.transcript', address),
    () => client.call('worker.events', address),
  ]) {
    const { code, details } = await refusal(attempt);
    assert.deepEqual([code, details['kind']], ['unsupported_operation', 'local-compatibility']);
  }
  await client.call('worker.input', { ...address, content: 'throw' });
  await client.call('ingress.deliver', { plugin: 'test.keeper', event: { ingress: 'odd', kind: 'recall' } });
  const { diagnostics } = await client.call('worker.show', address);
  assert.deepEqual(
    diagnostics.map(({ code }) => code),
    ['dispatch_failed'],
  );
  assert.doesNotMatch(JSON.stringify(diagnostics), /SECRET/);
});
