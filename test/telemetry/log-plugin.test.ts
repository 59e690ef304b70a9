// A plugin's own log: what its cells write arrives whole, bounded and in order, on disk and in memory.
import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import { logLine } from '../../protocol/operations/telemetry.ts';
import { fileLines, logLimits, message, openPluginLog } from '../labs/log-lab.ts';

test('a line of a cell stands in the file, in memory and with the listener, with all its fields', async (context) => {
  const { log, path, told } = await openPluginLog(context);
  const at = Date.now() - 1000;
  log.fromCell(
    message('hello', {
      level: 'warn',
      stream: 'console',
      correlationId: 'c-1',
      fields: '{"n":1,"msg":"mine","level":"mine"}',
      at,
    }),
    7,
  );
  await log.close();
  const expected = {
    level: 'warn',
    time: new Date(at).toISOString(),
    plugin: 'example.greeter',
    incarnation: 7,
    stream: 'console',
    correlationId: 'c-1',
    data: { n: 1, msg: 'mine', level: 'mine' },
    msg: 'hello',
  };
  assert.deepEqual(await fileLines(path), [expected]);
  assert.deepEqual(log.recent(10), { lines: [expected], truncated: false });
  assert.deepEqual(told, [expected]);
  logLine.parse(expected);
  assert.equal(log.counts.lines, 1);
});

test("file and folder are the user's alone", async (context) => {
  const { log, folder, path } = await openPluginLog(context);
  log.fromCell(message('x'), 1);
  await log.close();
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
});

test("the host's own remarks stand among the plugin's lines, marked as such", async (context) => {
  const { log, path } = await openPluginLog(context);
  const circular: Record<string, unknown> = {};
  circular['self'] = circular;
  log.fromCell(message('before'), 3);
  log.host('error', 'service starting → failed', { incarnation: 3, correlationId: 'c', code: 'start_failed' });
  log.host('info', 'plain');
  log.host('info', 'odd', circular);
  await log.close();
  const [, failed, plain, odd] = await fileLines(path);
  assert.deepEqual(
    { ...failed, time: '' },
    {
      level: 'error',
      time: '',
      plugin: 'example.greeter',
      incarnation: 3,
      stream: 'host',
      correlationId: 'c',
      data: { code: 'start_failed' },
      msg: 'service starting → failed',
    },
  );
  assert.deepEqual(Object.keys(plain ?? {}).sort(), ['level', 'msg', 'plugin', 'stream', 'time']);
  assert.equal(odd?.msg, 'odd');
});

test('what the cell dropped is a visible line and is counted', async (context) => {
  const { log, path } = await openPluginLog(context);
  log.droppedByCell({ type: 'logDropped', lines: 120, bytes: 9000 }, 2);
  log.droppedByCell({ type: 'logDropped', lines: 1, bytes: 80 }, 2);
  await log.close();
  const lines = await fileLines(path);
  assert.deepEqual(
    lines.map(({ level, msg }) => [level, msg]),
    [
      [
        'warn',
        'dropped 120 lines (9 kB): over the log budget of the cell; limits.logBytesPerSecond of the plugin sets it',
      ],
      [
        'warn',
        'dropped 1 line (80 bytes): over the log budget of the cell; limits.logBytesPerSecond of the plugin sets it',
      ],
    ],
  );
  assert.deepEqual(lines[0]?.['data'], { droppedLines: 120, droppedBytes: 9000 });
  const { bytes, ...counts } = log.counts;
  assert.deepEqual(counts, { lines: 2, droppedLines: 121, droppedBytes: 9080 });
  assert.equal(bytes, (await stat(path)).size);
});

test('text, fields and correlation id of a cell are bounded, and fields that are no JSON are kept as text', async (context) => {
  const { log } = await openPluginLog(context);
  log.fromCell(
    message('x'.repeat(5_000_000), {
      fields: `{"a":"${'y'.repeat(5_000_000)}"}`,
      correlationId: 'z'.repeat(5_000_000),
    }),
    1,
  );
  log.fromCell(message('deep', { fields: '['.repeat(8000) + ']'.repeat(8000) }), 1);
  log.fromCell(message('broken', { fields: '{"a":' }), 1);
  log.fromCell(message('a text', { fields: '"(left out)"' }), 1);
  log.fromCell(message('odd keys', { fields: '{"__proto__":{"polluted":1},"toJSON":"x","constructor":2}' }), 1);
  const [huge, deep, broken, text, odd] = log.recent(10).lines;
  assert.ok(JSON.stringify(huge).length < 40_000);
  assert.match(huge?.msg ?? '', /x… \(cut\)$/);
  assert.equal(deep?.['data'], '['.repeat(8000) + ']'.repeat(8000));
  assert.equal(broken?.['data'], '{"a":');
  assert.equal(text?.['data'], '(left out)');
  assert.deepEqual(JSON.stringify(odd?.['data']), '{"__proto__":{"polluted":1},"toJSON":"x","constructor":2}');
});

test('a time that a cell cannot mean is replaced by the present', async (context) => {
  const { log } = await openPluginLog(context);
  for (const at of [0, Number.MAX_SAFE_INTEGER - 1, Date.now() + 60_000, 1.5]) log.fromCell(message('x', { at }), 1);
  for (const { time } of log.recent(10).lines) assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000, time);
});

test('memory keeps the newest lines, by number and by bytes', async (context) => {
  const { log } = await openPluginLog(context, { limits: { ...logLimits, logLines: 5 } });
  for (let number = 1; number <= 12; number += 1) log.fromCell(message(String(number)), 1);
  assert.deepEqual(
    log.recent(3).lines.map(({ msg }) => msg),
    ['10', '11', '12'],
  );
  assert.equal(log.recent(3).truncated, true);
  assert.deepEqual(
    log.recent(100).lines.map(({ msg }) => msg),
    ['8', '9', '10', '11', '12'],
  );
  assert.deepEqual(log.recent(0), { lines: [], truncated: true });

  const wide = (await openPluginLog(context)).log;
  for (let number = 1; number <= 500; number += 1) wide.fromCell(message(`${String(number)} ${'w'.repeat(16_000)}`), 1);
  const { lines } = wide.recent(1000);
  assert.ok(lines.length >= 30 && lines.length < 70, String(lines.length));
  assert.match(lines.at(-1)?.msg ?? '', /^500 /);
});

test('any text reaches the file as it was, and always as one line', async (context) => {
  const { log, path } = await openPluginLog(context);
  const unusual = fc.constantFrom('\n', '\r', '\u0000', '\u001b[31m', '"', '\\', '\u2028', '\u202e', 'a');
  const texts = fc.sample(fc.oneof(fc.string({ unit: 'binary', maxLength: 10 }), fc.string({ unit: unusual })), 100);
  for (const text of texts) log.fromCell(message(text, { fields: JSON.stringify({ text }) }), 1);
  await log.close();
  const lines = await fileLines(path);
  // Half a surrogate pair has no place in UTF-8; everything else must be the same.
  const sound = (text: string): string => Buffer.from(text).toString();
  assert.deepEqual(
    lines.map(({ msg }) => msg),
    texts.map(sound),
  );
  assert.deepEqual(
    lines.map(({ data }) => data),
    texts.map((text) => ({ text: sound(text) })),
  );
});
