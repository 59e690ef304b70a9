// The project's own test run ends whatever a test does, on every version of Node, and leaves no process behind.
import assert from 'node:assert/strict';
import { readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { runTests } from '../../scripts/test-run.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';
import { untilGone } from '../labs/process-watch.ts';

const longMs = 60_000;

async function runOf(
  t: TestContext,
  body: string,
  fileMs: number,
): Promise<{ folder: string; code: number; tookMs: number }> {
  const folder = await temporaryFolder(t);
  await symlink(join(import.meta.dirname, '..', '..', 'node_modules'), join(folder, 'node_modules'));
  await writeTree(folder, {
    'package.json': { type: 'module' },
    'one.test.ts': `import { test } from 'node:test';\n${body}`,
  });
  const began = performance.now();
  const code = await runTests({
    root: folder,
    files: ['one.test.ts'],
    concurrency: 1,
    testMs: longMs,
    fileMs,
    totalMs: longMs,
    output: 'ignore',
  });
  return { folder, code, tookMs: performance.now() - began };
}

test('a file that passes ends well', { timeout: longMs }, async (t) => {
  assert.equal((await runOf(t, "test('fine', () => {});", longMs)).code, 0);
});

test(
  'a file that loops and ignores being told to end is ended by its limit and fails the run',
  { timeout: longMs },
  async (t) => {
    const { code, tookMs } = await runOf(
      t,
      "process.on('SIGTERM', () => {});\ntest('loops', () => { for (;;); });",
      1000,
    );
    assert.notEqual(code, 0);
    assert(tookMs < longMs / 2, String(tookMs));
  },
);

test(
  'a process that outlives its test fails the run and is ended',
  { timeout: longMs, skip: process.platform !== 'linux' },
  async (t) => {
    const body = `import { spawn } from 'node:child_process';
    import { writeFileSync } from 'node:fs';
    test('forgets a child', () => {
      const child = spawn('sleep', ['600'], { stdio: 'ignore' });
      child.unref();
      writeFileSync('pid', String(child.pid));
    });`;
    const { folder, code } = await runOf(t, body, longMs);
    assert.notEqual(code, 0);
    const pid = Number(await readFile(join(folder, 'pid'), 'utf8'));
    await untilGone(pid);
  },
);
