// What lives on other members is reached from each: tools of plugins that are not loaded here, and workers.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { HostError } from '../../protocol/errors.ts';
import { noServer, shortLease, startMember, startNats } from '../labs/nats-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { writePlugin } from '../labs/written-plugin.ts';
import { untilAnswer } from '../labs/until.ts';

const skip = noServer;

test('a tool of a plugin that another member has is called there, and cancelled there', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const place = join(folder, 'tools');
  writePlugin(place, {
    manifest: { id: 'test.tools', tools: [{ name: 'where' }, { name: 'wait', timeoutMs: 60_000 }] },
    files: {
      'index.js': `export const tools = {
        where: (input) => ({ pid: process.pid, input }),
        wait: (_input, ctx) => new Promise((_resolve, reject) => ctx.signal.addEventListener('abort', () => reject(new Error('ended')))),
      };`,
    },
  });
  const nats = await startNats(t);
  const [bare, full] = await Promise.all([
    startMember(t, nats, 'bare', { config: shortLease }),
    startMember(t, nats, 'full', { plugins: [place], config: shortLease }),
  ]);
  await untilAnswer(
    'both',
    () => bare.client.call('cluster.status', {}),
    ({ members }) => members.length === 2,
  );
  const call = { plugin: 'test.tools', tool: 'where', input: { a: 1 } };
  const { output } = await untilAnswer(
    'an answer',
    () => bare.client.call('tool.call', call).catch(() => ({ output: null })),
    (answer) => answer.output !== null,
  );
  assert.deepEqual(output, { pid: full.daemon.pid, input: { a: 1 } });
  const refused = (code: string) => (error: HostError) => error.code === code;
  await assert.rejects(() => bare.client.call('tool.call', { ...call, tool: 'none' }), refused('tool_not_found'));
  await assert.rejects(
    () => bare.client.call('tool.call', { ...call, tool: 'wait', timeoutMs: 200 }),
    refused('tool_timeout'),
  );
  const waiting = assert.rejects(
    () => bare.client.call('tool.call', { ...call, tool: 'wait', callId: 'c-1' }),
    refused('tool_cancelled'),
  );
  await untilAnswer(
    'the cancel',
    () => bare.client.call('tool.cancel', { callId: 'c-1' }),
    ({ cancelled }) => cancelled,
  );
  await waiting;
  const lost = assert.rejects(
    () => bare.client.call('tool.call', { ...call, tool: 'wait' }),
    refused('member_unavailable'),
  );
  await untilAnswer(
    'it runs',
    () => full.client.call('daemon.status', {}),
    ({ counts }) => counts.toolCallsPending > 0,
  );
  full.daemon.signal('SIGKILL');
  await lost;
});

test("another member's runtimes are here as kind remote, with all that workers do", { skip }, async (t) => {
  const nats = await startNats(t);
  const [one, two] = await Promise.all(
    ['one', 'two'].map((name) =>
      startMember(t, nats, name, { config: { limits: { ...shortLease.limits, runtimeMs: 20_000 } } }),
    ),
  );
  assert.ok(one !== undefined && two !== undefined);
  const runtimeId = 'two.backend-internal';
  const listed = await untilAnswer(
    'the runtime of the other',
    () => one.client.call('runtime.list', {}),
    ({ runtimes }) => runtimes.some((runtime) => runtime.runtimeId === runtimeId && runtime.status === 'running'),
  );
  assert.equal(listed.runtimes.find((runtime) => runtime.runtimeId === runtimeId)?.kind, 'remote');
  const made = await one.client.call('worker.create', { runtimeId, intent: 'to be spoken with' });
  assert.equal(made.runtimeId, runtimeId);
  const { workerId } = made;
  const worker = { runtimeId, workerId };
  assert.equal((await two.client.call('worker.show', { runtimeId: 'backend-internal', workerId })).intent, made.intent);
  const { eventId } = await one.client.call('worker.input', { ...worker, content: 'hello' });
  const said = await untilAnswer(
    'an answer',
    () => one.client.call('worker.transcript', worker),
    ({ items }) => items.some(({ role, status }) => role === 'worker' && status === 'done'),
  );
  assert.ok(said.items.every((item) => item.eventId === eventId));
  const first = await one.client.call('worker.events', worker);
  assert.equal(first.events[0]?.type === 'snapshot' && first.events[0].worker.runtimeId, runtimeId);
  await one.client.call('worker.input', { ...worker, content: 'again' });
  const more = await untilAnswer(
    'what came after the cursor',
    () => one.client.call('worker.events', { ...worker, after: first.next, waitMs: 1000 }),
    ({ events }) => events.length > 0,
  );
  assert.notEqual(more.events[0]?.type, 'snapshot');
  assert.equal((await one.client.call('worker.cancel', worker)).runtimeId, runtimeId);
  const { workers } = await one.client.call('runtime.workers', { runtimeId });
  assert.deepEqual(
    workers.map((each) => [each.runtimeId, each.workerId]),
    [[runtimeId, workerId]],
  );
  assert.equal((await one.client.call('worker.stop', worker)).state, 'stopped');
  await assert.rejects(
    () => one.client.call('worker.show', { runtimeId, workerId: 'none' }),
    (error: HostError) => error.code === 'worker_not_found',
  );
  two.daemon.signal('SIGKILL');
  await untilAnswer(
    'it is unavailable',
    () => one.client.call('runtime.list', {}),
    ({ runtimes }) => runtimes.some((runtime) => runtime.runtimeId === runtimeId && runtime.status === 'unavailable'),
  );
  await assert.rejects(
    () => one.client.call('worker.show', worker),
    (error: HostError) => error.code === 'runtime_unavailable',
  );
});
