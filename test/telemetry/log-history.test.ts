// What is no longer in memory is read from the files: those of before a restart and those the log was rotated to,
// without a gap and without a line twice.
import assert from 'node:assert/strict';
import { appendFile, mkdir, readdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { LogLine } from '../../protocol/operations/telemetry.ts';
import { logLimits, message, openPluginLog } from '../labs/log-lab.ts';

const texts = (lines: readonly LogLine[]): string[] => lines.map(({ msg }) => msg);
const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, at) => `line ${String(from + at)}`);

test('older lines come from the rotated files, in order, each once, also after a restart', async (context) => {
  const limits = { logLines: 20, logFileBytes: 64 * 1024, logFiles: 4 };
  const { log, folder } = await openPluginLog(context, { limits });
  const long = 'x'.repeat(200);
  for (const text of numbered(0, 500)) {
    log.fromCell(message(text, { fields: JSON.stringify({ long }) }), 1);
    // Lets it write: the files are rotated between two pieces.
    if (Number(text.slice(5)) % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.deepEqual(
    texts((await log.read({ limit: 300 })).lines),
    numbered(200, 500),
    'with what is on its way to disk',
  );
  await log.close();
  assert.ok((await readdir(folder)).length >= 3, 'it was rotated');
  assert.deepEqual(texts((await log.read({ limit: 400 })).lines), numbered(100, 500));

  const next = await openPluginLog(context, { limits, folder });
  next.log.fromCell(message('line 500'), 1);
  const read = await next.log.read({ limit: 101 });
  assert.deepEqual(texts(read.lines), numbered(400, 501));
  assert.equal(read.truncated, true);
  next.log.fromCell(message('line 501'), 1);
  assert.deepEqual(
    texts(next.log.after(read, { limit: 10 })),
    ['line 501'],
    'what came meanwhile follows without a gap',
  );
  const all = await next.log.read({ limit: 1000 });
  assert.deepEqual([texts(all.lines).at(-1), all.truncated], ['line 501', false]);
  assert.deepEqual((await next.log.read({ limit: 0 })).lines, []);
});

test('only lines since an instant, and of a level and above', async (context) => {
  const { log, folder } = await openPluginLog(context);
  const now = Date.now();
  for (const [at, level] of ['debug', 'info', 'warn', 'error'].entries())
    log.fromCell(message(`old ${level}`, { level: level as 'info', at: now - 300_000 + at }), 1);
  await log.close();
  const { log: next } = await openPluginLog(context, { folder });
  for (const level of ['debug', 'info', 'warn', 'error'] as const)
    next.fromCell(message(`new ${level}`, { level, at: now }), 1);
  assert.deepEqual(texts((await next.read({ limit: 10, level: 'warn' })).lines), [
    'old warn',
    'old error',
    'new warn',
    'new error',
  ]);
  const since = await next.read({ limit: 10, sinceMs: now - 60_000, level: 'error' });
  assert.deepEqual(
    since.lines.map(({ msg }) => msg),
    ['new error'],
  );
  assert.equal(since.truncated, false);
  const few = await next.read({ limit: 1, level: 'warn' });
  assert.deepEqual([texts(few.lines), few.truncated], [['new error'], true]);
});

test('lines since an instant come from rotated files too, also from before a time in which the clock was wrong', async (context) => {
  const { log, folder, path } = await openPluginLog(context);
  const now = Date.now();
  const written = (from: number, to: number, at: (nth: number) => number): string =>
    numbered(from, to)
      .map((msg, nth) => `${JSON.stringify({ level: 'info', time: new Date(at(nth)).toISOString(), msg })}\n`)
      .join('');
  const minuteMs = 60_000;
  await log.close();
  await mkdir(folder, { recursive: true });
  // The oldest first; two hours pass in all, and after a start without a clock it is 1970 for a while.
  await writeFile(
    `${path}.2`,
    written(0, 120, (nth) => now - (240 - nth) * minuteMs),
  );
  await writeFile(
    `${path}.1`,
    written(120, 180, (nth) => now - (120 - nth) * minuteMs) + written(1000, 1100, (nth) => nth * minuteMs),
  );
  await writeFile(
    path,
    written(180, 240, (nth) => now - (60 - nth) * minuteMs),
  );
  const { log: next } = await openPluginLog(context, { folder });
  const since = async (minutes: number): Promise<LogLine[]> =>
    (await next.read({ limit: 1000, sinceMs: now - minutes * minuteMs })).lines;
  assert.deepEqual(texts(await since(30)), numbered(210, 240));
  assert.deepEqual(texts(await since(90)), numbered(150, 240));
  assert.deepEqual(texts(await since(200)), numbered(40, 240));
  assert.equal((await since(60 * 24 * 365 * 100)).length, 340);
});

test('what somebody has done to the files costs the lines that it hit, and nothing else', async (context) => {
  const { log, folder, path } = await openPluginLog(context, { limits: logLimits });
  for (const text of numbered(0, 3)) log.fromCell(message(text), 1);
  await log.close();
  await appendFile(path, '{"level":"info"}\nnull\nnot json\n');
  await appendFile(path, `${'z'.repeat(3 * 1024 * 1024)}\n`);
  await writeFile(`${path}.1`, Buffer.from([0xff, 0xfe, 0x0a, 0x7b]));
  await symlink('/etc/passwd', `${path}.2`);
  const { log: next } = await openPluginLog(context, { folder });
  assert.deepEqual(texts((await next.read({ limit: 10 })).lines), numbered(0, 3));
  await truncate(path, 150);
  assert.ok((await next.read({ limit: 10 })).lines.length <= 1);
  await rm(folder, { recursive: true });
  assert.deepEqual((await next.read({ limit: 10 })).lines, []);
});
