// `npm run test:only [-- NAME…]`: runs the tests, or those whose file names hold one of the names, with the Node that
// runs this. Cells run compiled code, so that what was changed since the last build is built first. `--times` writes
// what each file took into scripts/test-times.json, by which files are put together and ordered.
import { spawnSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { isBuilt } from './build-state.ts';
import { groupsOf, readTimes, writeTimes } from './test-groups.ts';
import { runTests } from './test-run.ts';

const root = join(import.meta.dirname, '..');

/** The machine being loaded and on its slowest day: one of the files builds, packs and installs the whole package. */
const testMs = 300_000;
const fileMs = 360_000;
const totalMs = 50 * 60_000;
/** Half of a test is waiting for something: two files for each core keep it busy. */
const concurrency = Math.min(2 * availableParallelism(), 8);

async function testFiles(names: readonly string[]): Promise<string[]> {
  const entries = await readdir(join(root, 'test'), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter(
      (path) =>
        !path.startsWith(join('test', 'fixtures')) && (names.length === 0 || names.some((name) => path.includes(name))),
    )
    .sort();
}

async function build(): Promise<boolean> {
  if (await isBuilt(root)) return true;
  return spawnSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' }).status === 0;
}

const { values, positionals: names } = parseArgs({
  options: { times: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const files = await testFiles(names);
if (files.length === 0) {
  console.error(`No test file's name holds ${names.join(' or ')}.`);
  process.exit(1);
}
if (!(await build())) {
  console.error('The tests did not run, because the build failed.');
  process.exit(1);
}
const times = readTimes(root);
const groups = groupsOf(files, times, concurrency);
console.log(`${String(files.length)} test files in ${String(groups.length)} processes on Node ${process.version}`);
const took = new Map(times);
const code = await runTests({
  root,
  groups,
  concurrency,
  testMs,
  fileMs,
  totalMs,
  took: (file, seconds) => took.set(file, seconds),
});
if (values.times) writeTimes(root, took);
process.exit(code);
