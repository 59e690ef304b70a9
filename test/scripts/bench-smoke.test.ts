// Every benchmark for a moment: a figure never fails a build, a benchmark that crashes does.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Report } from '../../scripts/bench/report.ts';
import { suite } from '../../scripts/bench/suite.ts';

const program = fileURLToPath(new URL('../../dist/scripts/bench/main.js', import.meta.url));

async function bench(
  ...args: string[]
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<number | null>((resolve) => void child.once('exit', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await ended, stdout, stderr };
}

test('every row of the suite runs to its end and measures what it judges', { timeout: 230_000 }, async () => {
  const { code, stdout, stderr } = await bench('--smoke', '--json');
  assert.equal(code, 0, stderr);
  const { rows } = JSON.parse(stdout) as Report;
  assert.deepEqual(
    rows.map(({ name }) => name),
    suite.map(({ name }) => name),
  );
  for (const { name, lines, verdicts, notes } of rows) {
    // A row may need a program that is not on this machine, and says so.
    if (notes.some((note) => note.startsWith('Nothing was measured'))) continue;
    assert.ok(lines.length > 0 && verdicts.length > 0, `${name} measured nothing`);
    for (const { what, figure } of verdicts)
      assert.equal(typeof figure.value, 'number', `${name}: ${what} has no figure`);
  }
});

test('a row nobody knows is refused with the names of those there are', async () => {
  const { code, stderr } = await bench('--only', 'speed');
  assert.equal(code, 2);
  assert.match(stderr, /no row speed; there are dispatch, end-to-end/);
});
