// The tutorial, followed word for word: its files are written as they stand there, and its commands run in order.
import assert from 'node:assert/strict';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { commandFile, repository, serve, startProcess, temporaryFolder } from '../labs/cli-process.ts';

const page = await readFile(join(repository, 'docs/tutorial.md'), 'utf8');

/** Each is named in the sentence above it. */
const files = [...page.matchAll(/^`(notebook\/[\w.]+)`[^`]*:\n\n```\w+\n([\s\S]*?)```$/gm)].map(
  ([, path = '', text = '']) => ({ path, text }),
);
const lines = [...page.matchAll(/^```sh\n([\s\S]*?)```$/gm)].flatMap(([, block = '']) => block.trim().split('\n'));

test('the tutorial names its files and shows its commands', () => {
  assert.deepEqual(
    files.map(({ path }) => path),
    ['notebook/plugin.json', 'notebook/notes.js', 'notebook/index.js', 'notebook/notebook.test.js'],
  );
  assert.ok(lines.length >= 17, lines.join('\n'));
});

test('everything in the tutorial works as it stands', { timeout: 180_000 }, async (t) => {
  const folder = temporaryFolder(t);
  for (const { path, text } of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  await mkdir(join(folder, 'node_modules'));
  await symlink(repository, join(folder, 'node_modules/nagaya'));
  const notes = { NOTEBOOK_FILE: join(folder, 'notes.txt') };
  const daemon = await serve(t, [], { env: notes });
  const env = { ...notes, NAGAYA_SOCKET: daemon.socket };

  const tested = await startProcess(t, process.execPath, ['--test', 'notebook/'], {
    cwd: folder,
    env,
    timeoutMs: 60_000,
  }).ended;
  assert.equal(tested.code, 0, tested.stdout + tested.stderr);

  let worker = '';
  for (const line of lines) {
    if (line.startsWith('nagaya reload')) {
      const entry = join(folder, 'notebook/index.js');
      await writeFile(
        entry,
        (await readFile(entry, 'utf8'))
          .split('\n')
          .filter((code) => !code.includes('loop'))
          .join('\n'),
      );
    }
    const script = [
      `nagaya() { '${process.execPath}' '${commandFile}' "$@"; }`,
      `worker='${worker}'`,
      line,
      'code=$?',
      'echo "worker=$worker"',
      'exit $code',
    ].join('\n');
    const { code, stdout, stderr } = await startProcess(t, 'bash', ['-c', script], { cwd: folder, env }).ended;
    worker = /^worker=(.+)$/m.exec(stdout)?.[1] ?? worker;
    const isRefused = /# (?:refused|fails)/.test(line);
    assert.equal(code, isRefused ? 4 : 0, `${line}\n${stdout}${stderr}`);
    if (isRefused) assert.match(stderr, /payload\.text is missing|blocked in index\.js:11/, line);
  }
  assert.match(
    await readFile(join(folder, 'notes.txt'), 'utf8'),
    /^Feed the cat\nBuy tea\nWater the plants\na loop\n$/,
  );
});
