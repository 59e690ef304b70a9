// The starters of `nagaya new` work as they stand: their own test passes at once, with nothing but Node.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { nagaya, startProcess, temporaryFolder } from '../labs/cli-process.ts';

for (const args of [['service'], ['tool'], ['service', '--typescript'], ['tool', '--typescript']]) {
  test(`the test of nagaya new ${args.join(' ')} passes`, async (t) => {
    const folder = join(temporaryFolder(t), 'starter');
    assert.equal((await nagaya(t, ['new', ...args, folder])).code, 0);
    const ran = await startProcess(t, process.execPath, ['--test', '--test-reporter=tap'], {
      cwd: folder,
      timeoutMs: 180_000,
    }).ended;
    assert.equal(ran.code, 0, ran.stdout);
    assert.match(ran.stdout, /# pass [1-9]/);
    assert.match(ran.stdout, /# fail 0/);
  });
}
