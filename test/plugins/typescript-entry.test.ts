// A TypeScript entry is loaded by the cell itself; where that cannot go well, the plugin's author is told what to do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HostError } from '../../protocol/errors.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';
import { startTestDaemon } from '../labs/test-daemon.ts';

const manifest = {
  schemaVersion: 1,
  id: 'test.typed',
  name: 'Typed',
  version: '1.0.0',
  entry: './index.ts',
  tools: [{ name: 'shout' }],
};
const source = 'export const tools = { shout: (input: { text: string }): string => input.text.toUpperCase() };\n';

test('a TypeScript tool runs without a build step, also when nothing of it was compiled before', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, { 'plugin.json': manifest, 'package.json': { type: 'module' }, 'index.ts': source });
  const daemon = await startTestDaemon(t, { plugins: [folder], env: { TMPDIR: await temporaryFolder(t) } });
  const client = await daemon.connect();
  assert.equal(
    (await client.call('tool.call', { plugin: 'test.typed', tool: 'shout', input: { text: 'hi' } })).output,
    'HI',
  );
});

test('a TypeScript entry that this Node would take for CommonJS is refused with the remedy, or runs where Node can', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, { 'plugin.json': manifest, 'index.ts': source });
  const daemon = await startTestDaemon(t, { plugins: [folder], env: { TMPDIR: await temporaryFolder(t) } });
  const client = await daemon.connect();
  const call = client.call('tool.call', { plugin: 'test.typed', tool: 'shout', input: { text: 'hi' } });
  if ((process.features as { typescript?: unknown }).typescript) assert.equal((await call).output, 'HI');
  else
    await assert.rejects(
      call,
      (error: unknown) => error instanceof HostError && /"type": "module"/.test(error.message),
    );
});
