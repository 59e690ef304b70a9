// An entry whose modules are never done being read is told as such in time; nothing waits for it longer.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { entryIssues } from '../../daemon/cli/authoring/entry-issues.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';

test('an entry that cannot be read to its end is told within the deadline', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, { 'index.js': 'import "./pipe.js"; export const tools = {};' });
  execFileSync('mkfifo', [join(folder, 'pipe.js')]);
  const startedMs = performance.now();
  const issues = await entryIssues(folder, { entry: './index.js' }, 1000);
  assert.deepEqual(issues, [{ path: 'entry', message: 'cannot be read within 1000 ms, with all that it imports' }]);
  assert.ok(performance.now() - startedMs < 20_000);
});
