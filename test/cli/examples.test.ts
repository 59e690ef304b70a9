// The samples run as they stand, and each has a test of its own that passes.
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { examplesFolder, repository, startProcess } from '../labs/cli-process.ts';

for (const name of readdirSync(examplesFolder)) {
  const folder = join(examplesFolder, name);
  const tests = readdirSync(folder).filter((file) => /\.test\.[jt]s$/.test(file));

  test(`the sample ${name} passes its own test`, async (t) => {
    assert.equal(tests.length, 1);
    // Only a test in TypeScript needs help, and only on Node 20: the sample itself is loaded by its cell.
    const loader = tests.some((file) => file.endsWith('.ts')) ? ['--import', 'tsx'] : [];
    const files = tests.map((file) => join(folder, file));
    const ran = await startProcess(t, process.execPath, [...loader, '--test', '--test-reporter=tap', ...files], {
      cwd: repository,
      timeoutMs: 180_000,
    }).ended;
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
    assert.match(ran.stdout, /# fail 0/);
  });

  test(`the sample ${name} needs no package and no build of its own`, () => {
    for (const file of ['package.json', 'node_modules', 'dist']) assert.equal(existsSync(join(folder, file)), false);
  });
}
