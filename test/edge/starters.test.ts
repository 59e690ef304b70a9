// `nagaya new service --source` writes a plugin that is valid and whose own test passes, and testPlugin feeds sources.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { nagaya, startProcess, temporaryFolder } from '../labs/cli-process.ts';
import { githubSource, writeHooks } from '../labs/webhook-lab.ts';
import { writePlugin } from '../labs/written-plugin.ts';
import { testPlugin } from '../../workers/sdk/test-plugin.ts';

for (const source of ['webhook', 'websocket', 'schedule', 'files']) {
  test(`the starter with a ${source} checks as valid, and its test passes`, async (t) => {
    const folder = join(temporaryFolder(t), 'fed');
    const written = await nagaya(t, ['new', 'service', folder, '--source', source, '--json']);
    assert.equal(written.code, 0, written.stderr);
    const checked = await nagaya(t, ['check', folder]);
    assert.equal(checked.code, 0, checked.stderr);
    const ran = await startProcess(
      t,
      process.execPath,
      ['--test', '--test-reporter=tap', join(folder, 'index.test.js')],
      { cwd: folder },
    ).ended;
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  });
}

test('a tool has no source', async (t) => {
  const ran = await nagaya(t, ['new', 'tool', join(temporaryFolder(t), 'x'), '--source', 'webhook']);
  assert.equal(ran.code, 2);
});

test('sent shows what handled events have sent, in order, and nothing is delivered', async (t) => {
  const folder = temporaryFolder(t);
  writePlugin(folder, {
    manifest: {
      service: {
        ingresses: [{ name: 'in', kinds: ['do'] }],
        retry: { maxAttempts: 1 },
        outputs: [
          { name: 'notify', type: 'http', url: 'http://127.0.0.1:1/nobody' },
          { name: 'lamp', type: 'mqtt', url: 'mqtt://127.0.0.1:1', topic: 'lamp' },
        ],
      },
    },
    files: {
      'index.js': `export const service = { start() {}, handleIngress({ payload }, ctx) {
        ctx.send('notify', payload, { key: 'k', path: 'rooms' });
        ctx.send('lamp', 'ON', { topic: 'hall' });
        if (payload.throws) throw new Error('planned');
      } };`,
    },
  });
  await using plugin = await testPlugin(folder);
  await plugin.deliver({ n: 1 });
  await assert.rejects(plugin.deliver({ throws: true }));
  const { eventId } = await plugin.deliver({ n: 2 });
  const sent = await plugin.sent();
  assert.deepEqual(
    sent.map(({ output, body, key, path, topic }) => [output, body, key, path, topic]),
    [
      ['notify', { n: 1 }, 'k', 'rooms', undefined],
      ['lamp', 'ON', undefined, undefined, 'hall'],
      ['notify', { n: 2 }, 'k', 'rooms', undefined],
      ['lamp', 'ON', undefined, undefined, 'hall'],
    ],
  );
  assert.equal(sent.at(-1)?.id, `${eventId}/2`);
  assert.equal((await plugin.sent('lamp')).length, 2);
  await assert.rejects(plugin.sent('nothing'), { code: 'output_not_found' });
  const { outputs } = await plugin.status();
  assert.deepEqual(
    outputs.map(({ state, pending, failed }) => [state, pending, failed]),
    [
      ['open', 2, 0],
      ['open', 2, 0],
    ],
  );
});

test('emit feeds what a source would bring, and a source that is not declared is named', async (t) => {
  const folder = temporaryFolder(t);
  const times = { name: 'times', type: 'schedule', ingress: 'pushes', kind: 'issues', cron: '0 0 1 1 *' };
  writeHooks(folder, { sources: [githubSource, times] });
  await using plugin = await testPlugin(folder);
  const { output } = await plugin.emit('github', { ref: 'main' }, { headers: { 'x-one': '1' }, correlationId: 'c-1' });
  assert.deepEqual(output, {
    kind: 'push',
    source: 'github',
    payload: { body: { ref: 'main' }, headers: { 'x-one': '1' } },
    correlationId: 'c-1',
  });
  const due = (await plugin.emit('times')).output as { kind: string; payload: { manual: boolean } };
  assert.equal(due.kind, 'issues');
  assert.equal(due.payload.manual, true);
  await assert.rejects(plugin.emit('nothing'), { code: 'source_not_found' });
});
