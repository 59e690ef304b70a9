// The daemon keeps descriptors back for the moment when its plugins have taken all others.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

test('a process that runs short of descriptors is told once, has its reserve then, and is well again when they are closed', async () => {
  const fixture = fileURLToPath(new URL('../fixtures/short-of-descriptors.ts', import.meta.url));
  const { stdout } = await promisify(execFile)('/bin/sh', [
    '-c',
    'ulimit -n 300; exec "$0" --import tsx "$1"',
    process.execPath,
    fixture,
  ]);
  assert.deepEqual(JSON.parse(stdout), [false, true, false, true, false, false]);
});
