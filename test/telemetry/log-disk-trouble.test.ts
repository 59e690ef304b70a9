// A disk that does not take the log is told once and tried again; it never throws at whoever logs, and what is lost
// is counted.
import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { type LineTarget, LineWriter } from '../../daemon/telemetry/line-writer.ts';
import { fileLines, message, openPluginLog } from '../labs/log-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { until } from '../labs/until.ts';

const present = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

test('a folder that cannot be made: told once, lines stay readable from memory, and all are written when it can', async (context) => {
  const root = await temporaryFolder(context);
  await writeFile(join(root, 'state'), 'a file where the folder should be');
  const { log, path, troubles } = await openPluginLog(context, { folder: join(root, 'state', 'logs') });
  for (let number = 1; number <= 50; number += 1) log.fromCell(message(String(number)), 1);
  await until('the trouble is told', () => troubles.length > 0);
  assert.equal((troubles[0] as NodeJS.ErrnoException).code, 'ENOTDIR');
  log.fromCell(message('51'), 1);
  assert.equal(log.recent(100).lines.length, 51);
  await rm(join(root, 'state'));
  await until('the log is written', () => present(path));
  await log.close();
  assert.deepEqual(
    (await fileLines(path)).map(({ msg }) => Number(msg)),
    Array.from({ length: 51 }, (_, index) => index + 1),
  );
  assert.equal(troubles.length, 1);
  assert.equal(log.counts.droppedLines, 0);
});

test(
  'a folder without permission to write is trouble as well',
  { skip: process.getuid?.() === 0 && 'root may write everywhere' },
  async (context) => {
    const root = await temporaryFolder(context);
    await chmod(root, 0o500);
    const { log, troubles } = await openPluginLog(context, { folder: join(root, 'logs') });
    log.fromCell(message('x'), 1);
    await until('the trouble is told', () => troubles.length > 0);
    assert.equal((troubles[0] as NodeJS.ErrnoException).code, 'EACCES');
  },
);

test('what the buffer cannot hold while the disk fails is counted, and noted in the log once it works', async (context) => {
  const root = await temporaryFolder(context);
  await writeFile(join(root, 'state'), '');
  const { log, path, troubles } = await openPluginLog(context, { folder: join(root, 'state') });
  const lines = 200;
  for (let number = 1; number <= lines; number += 1)
    log.fromCell(message(`${String(number)} ${'x'.repeat(10_000)}`), 1);
  const { droppedLines, droppedBytes } = log.counts;
  assert.ok(droppedLines > 100 && droppedBytes > droppedLines * 10_000, String(droppedLines));
  await until('the trouble is told', () => troubles.length > 0);
  await rm(join(root, 'state'));
  await until(
    'the note is written',
    // The last line may not be whole yet.
    async () => (await present(path)) && (await readFile(path, 'utf8')).includes('"stream":"host"'),
  );
  await log.close();
  const written = await fileLines(path);
  const notes = written.filter(({ stream }) => stream === 'host');
  assert.match(
    notes[0]?.msg ?? '',
    new RegExp(`^dropped ${String(droppedLines)} lines .*: the disk did not take them in time$`),
  );
  assert.equal(written.length - notes.length + droppedLines, lines);
});

test('a folder deleted under a running log comes back with the next line', async (context) => {
  const { log, folder, path, troubles } = await openPluginLog(context);
  log.fromCell(message('1'), 1);
  await until('the file is there', () => present(path));
  await rm(dirname(folder), { recursive: true });
  log.fromCell(message('2'), 1);
  await until('the file is there again', async () => (await present(path)) && (await fileLines(path)).length === 1);
  assert.deepEqual(
    (await fileLines(path)).map(({ msg }) => msg),
    ['2'],
  );
  assert.deepEqual(troubles, []);
});

test('the log writes into nothing but a file of its own: no link is followed, no pipe or folder stops it', async (context) => {
  const root = await temporaryFolder(context);
  await writeFile(join(root, 'precious'), 'kept');
  for (const block of ['link', 'folder'] as const) {
    const { log, path, troubles } = await openPluginLog(context, { folder: join(root, block) });
    await mkdir(dirname(path), { recursive: true });
    await (block === 'link' ? symlink(join(root, 'precious'), path) : mkdir(path));
    log.fromCell(message('x'), 1);
    await until('the trouble is told', () => troubles.length > 0);
    await log.close();
  }
  assert.equal((await stat(join(root, 'precious'))).size, 4);
});

test('closing a log whose disk fails ends soon', async (context) => {
  const root = await temporaryFolder(context);
  await writeFile(join(root, 'state'), '');
  const { log } = await openPluginLog(context, { folder: join(root, 'state') });
  log.fromCell(message('x'), 1);
  const began = performance.now();
  await log.close();
  log.fromCell(message('after the end'), 1);
  assert.ok(performance.now() - began < 10_000);
  assert.equal(log.counts.droppedLines, 1);
});

/** What the disk does with the next attempt: writes so many bytes of it, fails, or says "not now". */
type Attempt = number | 'fails' | 'busy';

test('for any behaviour of the disk each line is written once and whole, or counted as dropped', async () => {
  const attempt: fc.Arbitrary<Attempt> = fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 1, max: 60 }) },
    fc.constantFrom<Attempt>('fails', 'busy'),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(attempt, { maxLength: 60 }),
      fc.array(fc.nat(40), { minLength: 1, maxLength: 60 }),
      fc.array(fc.boolean(), { maxLength: 60 }),
      async (plan, lengths, rests) => {
        const attempts = [...plan];
        let written = '';
        let ends = false;
        const target: LineTarget = {
          write: async (chunk, offset) => {
            await Promise.resolve();
            const next = attempts.shift() ?? Infinity;
            if (next === 'fails') throw new Error('planned');
            if (next === 'busy') return 0;
            const bytes = Math.min(next, chunk.length - offset);
            written += chunk.toString('latin1', offset, offset + bytes);
            return bytes;
          },
          close: () => {
            ends = true;
            return Promise.resolve();
          },
        };
        let troubles = 0;
        const noted = { lines: 0 };
        const writer = new LineWriter({
          target,
          maxBytes: 200,
          chunkBytes: 64,
          retryMs: 1,
          busyMs: 1,
          onTrouble: () => (troubles += 1),
          onCaughtUp: ({ lines }) => (noted.lines += lines),
        });
        const accepted: string[] = [];
        let dropped = 0;
        for (const [index, length] of lengths.entries()) {
          const line = `${String(index)}:${'x'.repeat(length)}\n`;
          if (writer.push(line)) accepted.push(line);
          else dropped += 1;
          assert.ok(writer.pendingBytes <= 200);
          if (rests[index] === true) await new Promise((resolve) => setImmediate(resolve));
        }
        for (let turn = 0; turn < 200 && !(await writer.flush(1000)); turn += 1);
        assert.equal(await writer.close(1000), true);
        assert.equal(written, accepted.join(''));
        assert.equal(accepted.length + dropped, lengths.length);
        assert.equal(noted.lines, dropped, 'every drop is told once the target works');
        const failed = plan.slice(0, plan.length - attempts.length).includes('fails');
        assert.equal(troubles > 0, failed);
        assert.ok(ends);
        assert.equal(writer.push('late\n'), false);
      },
    ),
    { numRuns: 150 },
  );
});
