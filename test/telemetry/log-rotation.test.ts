// Rotation by size: the log stays within its files, and of what is kept no line is lost, doubled or torn.
import assert from 'node:assert/strict';
import { mkdir, readFile, readdir, rename, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { PluginLogOptions } from '../../daemon/telemetry/plugin-log.ts';
import { fileLines, message, openPluginLog } from '../labs/log-lab.ts';
import { until } from '../labs/until.ts';

const fileBytes = 64 * 1024;

/** Newest file last, so that the lines are in the order of writing. */
async function files(folder: string): Promise<string[]> {
  const age = (name: string): number => Number(/\.(\d+)$/.exec(name)?.[1] ?? 0);
  return (await readdir(folder)).sort((one, two) => age(two) - age(one)).map((name) => join(folder, name));
}

async function allNumbers(folder: string): Promise<number[]> {
  const lines = (await Promise.all((await files(folder)).map(fileLines))).flat();
  return lines.map(({ msg }) => Number.parseInt(msg, 10));
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

async function writeNumbers(
  context: TestContext,
  folder: string,
  from: number,
  to: number,
  limits: PluginLogOptions['limits'],
  filler: (number: number) => string,
): Promise<void> {
  const { log } = await openPluginLog(context, { folder, limits });
  for (let number = from; number <= to; number += 1) log.fromCell(message(`${String(number)} ${filler(number)}`), 1);
  await log.close();
  assert.equal(log.counts.droppedLines, 0);
}

test('many lines over many files and several lives of the log: each line once, in order', async (context) => {
  const { folder } = await openPluginLog(context);
  const limits = { logLines: 10, logFileBytes: fileBytes, logFiles: 100 };
  for (let life = 0; life < 4; life += 1)
    await writeNumbers(context, folder, life * 1000 + 1, (life + 1) * 1000, limits, (number) =>
      'x'.repeat(number % 300),
    );
  assert.deepEqual(await allNumbers(folder), range(1, 4000));
  const paths = await files(folder);
  assert.ok(paths.length > 8, String(paths.length));
  for (const path of paths) assert.ok((await stat(path)).size <= fileBytes, path);
});

test('no more files than allowed are kept, and they hold the newest lines without a gap', async (context) => {
  const { folder } = await openPluginLog(context);
  for (const logFiles of [3, 2, 1]) {
    await writeNumbers(context, folder, 1, 1500, { logLines: 10, logFileBytes: fileBytes, logFiles }, () =>
      'x'.repeat(100),
    );
    const paths = await files(folder);
    assert.equal(paths.length, logFiles, 'files of a time when more were kept are gone too');
    const numbers = (await allNumbers(folder)).slice(-50);
    assert.deepEqual(numbers, range(1500 - numbers.length + 1, 1500));
  }
});

test('lines of any length keep whole and in order, also those longer than a file', async (context) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(500), { minLength: 1, maxLength: 25 }),
      fc.array(fc.record({ at: fc.nat(25), length: fc.integer({ min: 10_000, max: 16_000 }) }), { maxLength: 4 }),
      async (short, long) => {
        const { folder } = await openPluginLog(context);
        const lengths = [...short];
        for (const { at, length } of long) lengths.splice(at, 0, length);
        // A control character is six in JSON, so that one line outgrows the smallest file.
        await writeNumbers(
          context,
          folder,
          1,
          lengths.length,
          { logLines: 10, logFileBytes: fileBytes, logFiles: 100 },
          (number) => '\u0001'.repeat(lengths[number - 1] ?? 0),
        );
        assert.deepEqual(await allNumbers(folder), range(1, lengths.length));
        for (const path of await files(folder)) {
          assert.ok((await stat(path)).size <= fileBytes || (await fileLines(path)).length === 1, path);
        }
      },
    ),
    { numRuns: 15 },
  );
});

test('a last line that a crash broke off spoils no line after it', async (context) => {
  const { log, path, folder } = await openPluginLog(context);
  await mkdir(folder, { recursive: true });
  await writeFile(path, '{"level":"info","time":"2030');
  log.fromCell(message('1'), 1);
  await log.close();
  const [broken, whole] = (await readFile(path, 'utf8')).split('\n');
  assert.equal(broken, '{"level":"info","time":"2030');
  assert.equal((JSON.parse(whole ?? '') as { msg: string }).msg, '1');
});

test('a file that someone else moves away or empties does not lose the lines that follow', async (context) => {
  const { log, path, folder } = await openPluginLog(context);
  const written = (count: number) => async () =>
    (await stat(path).catch(() => undefined))?.size !== undefined && (await fileLines(path)).length === count;
  log.fromCell(message('1'), 1);
  await until('the first line is written', written(1));
  await rename(path, join(folder, 'taken-away'));
  log.fromCell(message('2'), 1);
  await until('the second line is in a new file', written(1));
  await truncate(path);
  log.fromCell(message('3'), 1);
  await until('the third line is in the emptied file', written(1));
  assert.deepEqual(
    (await fileLines(path)).map(({ msg }) => msg),
    ['3'],
  );
});
