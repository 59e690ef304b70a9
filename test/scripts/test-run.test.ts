// The project's own test run ends whatever a test does, on every version of Node, and leaves no process behind.
import assert from 'node:assert/strict';
import { readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { runTests } from '../../scripts/test-run.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';
import { untilGone } from '../labs/process-watch.ts';
import { until } from '../labs/until.ts';

const longMs = 60_000;

interface Ran {
  readonly folder: string;
  readonly code: number;
  readonly tookMs: number;
  readonly told: string;
}

/** Files in one process, by their names. */
async function runOf(
  t: TestContext,
  bodies: Readonly<Record<string, string>>,
  fileMs: number,
  meanwhile: (folder: string) => Promise<void> = () => Promise.resolve(),
): Promise<Ran> {
  const folder = await temporaryFolder(t);
  await symlink(join(import.meta.dirname, '..', '..', 'node_modules'), join(folder, 'node_modules'));
  const files = Object.keys(bodies).map((name) => `${name}.test.ts`);
  await writeTree(folder, {
    'package.json': { type: 'module' },
    ...Object.fromEntries(
      Object.entries(bodies).map(([name, body]) => [
        `${name}.test.ts`,
        `import { after, before, test } from 'node:test';\nimport { appendFileSync } from 'node:fs';\nconst note = (what: string) => appendFileSync('notes', what + ' ');\nvoid [after, before, note];\n${body}`,
      ]),
    ),
  });
  const told: string[] = [];
  const began = performance.now();
  const ended = runTests({
    root: folder,
    groups: [{ name: '0-all', files }],
    concurrency: 1,
    testMs: longMs,
    fileMs,
    totalMs: longMs,
    output: 'ignore',
    tell: (message) => void told.push(message),
  });
  await meanwhile(folder);
  const code = await ended;
  return { folder, code, tookMs: performance.now() - began, told: told.join('\n') };
}

const notesIn = (folder: string): Promise<string> => readFile(join(folder, 'notes'), 'utf8');

test('a file that passes ends well', { timeout: longMs }, async (t) => {
  assert.equal((await runOf(t, { one: "test('fine', () => {});" }, longMs)).code, 0);
});

test(
  'a file that loops and ignores being told to end is ended by its limit and fails the run',
  { timeout: longMs },
  async (t) => {
    const { folder, code, tookMs, told } = await runOf(
      t,
      {
        before: "test('fine', () => note('before'));",
        loops: "process.on('SIGTERM', () => {});\ntest('loops', () => { for (;;); });",
        after: "test('fine too', () => note('after'));",
      },
      1500,
    );
    assert.notEqual(code, 0);
    assert(tookMs < longMs / 2, String(tookMs));
    assert.match(told, /^loops\.test\.ts did not end within 1\.5 s and is ended\.$/m);
    assert.equal(await notesIn(folder), 'before after ', 'what shares its process runs all the same, once');
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
    const { folder, code } = await runOf(t, { forgets: body }, longMs);
    assert.notEqual(code, 0);
    const pid = Number(await readFile(join(folder, 'pid'), 'utf8'));
    await untilGone(pid);
  },
);

test('files in one process run one after the other, each with its own hooks', { timeout: longMs }, async (t) => {
  const file = (name: string): string =>
    `note('import-${name}');
     before(() => note('before-${name}'));
     after(() => note('after-${name}'));
     test('first', () => note('${name}1'));
     test('second', () => note('${name}2'));`;
  const { folder, code, told } = await runOf(t, { a: file('a'), b: file('b') }, longMs);
  assert.equal(code, 0, told);
  assert.equal(
    await notesIn(folder),
    'import-a before-a a1 a2 after-a import-b before-b b1 b2 after-b ',
    'no file is imported before its turn',
  );
});

test('a test that fails, or a file that cannot be imported, hides no other file', { timeout: longMs }, async (t) => {
  for (const broken of ["test('fails', () => { throw new Error('no'); });", "throw new Error('not imported');"]) {
    const { folder, code, told } = await runOf(t, { broken, next: "test('fine', () => note('next'));" }, longMs);
    assert.notEqual(code, 0);
    assert.equal(told, '');
    assert.equal(await notesIn(folder), 'next ');
  }
});

test(
  'a file that ends its process fails the run, is named, and hides no other file',
  { timeout: longMs },
  async (t) => {
    const { folder, code, told } = await runOf(
      t,
      {
        first: "test('fine', () => note('first'));",
        exits: "test('exits', () => process.exit(0));",
        next: "test('fine', () => note('next'));",
        last: "test('fine', () => note('last'));",
      },
      longMs,
    );
    assert.notEqual(code, 0);
    assert.equal(told, 'The process ended while it ran exits.test.ts.');
    assert.equal(await notesIn(folder), 'first next last ');
  },
);

test('a run that is told to end begins nothing more', { timeout: longMs }, async (t) => {
  const loops = "test('loops', () => { note('loops'); for (;;); });";
  const endIt = async (folder: string): Promise<void> => {
    await until('it runs', () =>
      notesIn(folder).then(
        (notes) => notes !== '',
        () => false,
      ),
    );
    process.kill(process.pid, 'SIGTERM');
  };
  const { folder, code } = await runOf(t, { loops, next: "test('fine', () => note('next'));" }, longMs, endIt);
  assert.notEqual(code, 0);
  assert.equal(await notesIn(folder), 'loops ');
});
