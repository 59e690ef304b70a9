// `nagaya new service --source` writes a plugin that is valid and whose own test passes, and testPlugin feeds sources.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { nagaya, startProcess, temporaryFolder } from '../labs/cli-process.ts';
import { githubSource, writeHooks } from '../labs/webhook-lab.ts';
import { testPlugin } from '../../workers/sdk/test-plugin.ts';

for (const source of ['webhook', 'schedule']) {
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
