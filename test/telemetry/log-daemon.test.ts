// The daemon's own log: JSON for programs, readable for people; it never waits for a reader and never throws.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { logLine, type LogLine } from '../../protocol/operations/telemetry.ts';
import { createDaemonLog, type DaemonLogOptions } from '../../daemon/telemetry/daemon-log.ts';
import { Redactor } from '../../daemon/telemetry/redactor.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';

async function logToFile(context: TestContext, options: Partial<DaemonLogOptions> = {}) {
  const path = join(await temporaryFolder(context), 'daemon.log');
  const destination = openSync(path, 'a');
  context.after(() => closeSync(destination));
  const log = createDaemonLog({ level: 'info', pretty: false, limits: { logLines: 5 }, destination, ...options });
  const text = async (): Promise<string> => {
    await log.close(20_000);
    return readFileSync(path, 'utf8');
  };
  return { log, text };
}

test('a line for programs is one JSON object with level, time, fields and message', async (context) => {
  const told: LogLine[] = [];
  const { log, text } = await logToFile(context, { onLine: (line) => told.push(line) });
  log.logger.debug({}, 'below the level');
  log.logger.child({ plugin: 'one' }).warn({ n: 1, err: new TypeError('broken') }, 'two\nlines');
  const lines = (await text())
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as LogLine);
  assert.equal(lines.length, 1);
  const [line] = lines;
  assert.deepEqual([line?.level, line?.msg, line?.['plugin'], line?.['n']], ['warn', 'two\nlines', 'one', 1]);
  assert.equal((line?.['err'] as { message: string }).message, 'broken');
  logLine.parse(line);
  assert.deepEqual(log.recent(10), { lines, truncated: false });
  assert.deepEqual(told, lines);
  assert.equal(log.dropped, 0);
});

test('a line for people is one readable line, without colours where none are wanted', async (context) => {
  const { log, text } = await logToFile(context, { pretty: true, colour: false });
  log.logger.info({ plugin: 'example.greeter', incarnation: 2, path: '/a b', nested: { deep: 1 } }, 'service running');
  const [line] = (await text()).split('\n');
  assert.match(
    line ?? '',
    /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO {2}example\.greeter service running incarnation=2 path="\/a b" nested=\{"deep":1\}$/,
  );
});

test('NO_COLOR and a dumb terminal turn colours off, unless the caller decides', async (context) => {
  const before = { NO_COLOR: process.env['NO_COLOR'], TERM: process.env['TERM'] };
  context.after(() => {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = value;
    }
  });
  const coloured = async (
    env: { NO_COLOR: string; TERM: string },
    options: Partial<DaemonLogOptions> = {},
  ): Promise<boolean> => {
    Object.assign(process.env, env);
    const { log, text } = await logToFile(context, { pretty: true, ...options });
    log.logger.error({}, 'x');
    return (await text()).includes('\u001b[');
  };
  assert.equal(await coloured({ NO_COLOR: '', TERM: 'xterm' }), true);
  assert.equal(await coloured({ NO_COLOR: '1', TERM: 'xterm' }), false);
  assert.equal(await coloured({ NO_COLOR: '', TERM: 'dumb' }), false);
  assert.equal(await coloured({ NO_COLOR: '1', TERM: 'xterm' }, { colour: true }), true);
});

test('memory keeps the newest lines', async (context) => {
  const { log } = await logToFile(context);
  for (let number = 1; number <= 9; number += 1) log.logger.info({}, String(number));
  assert.deepEqual(
    log.recent(3).lines.map(({ msg }) => msg),
    ['7', '8', '9'],
  );
  assert.deepEqual([log.recent(100).lines.length, log.recent(100).truncated], [5, true]);
});

test('what must not be in a line is taken out of file, memory and listeners', async (context) => {
  const redactor = new Redactor(['s3cret "value"']);
  const told: LogLine[] = [];
  const { log, text } = await logToFile(context, {
    redact: (json) => redactor.json(json),
    onLine: (line) => told.push(line),
  });
  log.logger.error({ err: new Error('bad s3cret "value"'), deep: { list: ['s3cret "value"'] } }, 's3cret "value"');
  for (const seen of [await text(), JSON.stringify(log.recent(10)), JSON.stringify(told)]) {
    assert.ok(seen.includes('[redacted]') && !seen.includes('s3cret'), seen);
  }
});

test('a level of silent logs nothing, and fields that are no JSON do no harm', async (context) => {
  const { log, text } = await logToFile(context, { level: 'silent' });
  log.logger.error({}, 'x');
  assert.equal(await text(), '');
  const odd = await logToFile(context, { pretty: true, colour: false });
  const circular: Record<string, unknown> = { big: 10n, nothing: undefined, run: () => 1 };
  circular['self'] = circular;
  odd.log.logger.info({ circular, big: 10n, time: 5, level: 7, msg: 9, stack: 8, err: null, plugin: {} }, 'odd');
  assert.match(await odd.text(), / odd .*circular=/);
});

test(
  'a full disk is counted and costs nobody anything',
  { skip: process.platform !== 'linux' && 'needs /dev/full' },
  async (context) => {
    const destination = openSync('/dev/full', 'a');
    context.after(() => closeSync(destination));
    const log = createDaemonLog({ level: 'info', pretty: false, limits: { logLines: 5 }, destination });
    for (let number = 0; number < 300; number += 1) log.logger.info({ filler: 'x'.repeat(10_000) }, 'x');
    assert.ok(log.dropped > 100, String(log.dropped));
    const began = performance.now();
    await log.close(20_000);
    assert.ok(performance.now() - began < 10_000, 'a failing disk does not use up the deadline');
    assert.equal(log.recent(10).lines.length, 5);
  },
);

const flood = fileURLToPath(new URL('../fixtures/log-flood.ts', import.meta.url));

/** What the flooded process says of itself, while nobody reads its standard error. */
async function floodInto(
  context: TestContext,
  stderr: 'pipe' | number,
  style: string,
): Promise<{ ticks: number; dropped: number; flushMs: number; newest: LogLine }> {
  const child = spawn(process.execPath, ['--import', 'tsx', flood, style], { stdio: ['ignore', 'pipe', stderr] });
  context.after(() => child.kill('SIGKILL'));
  let said = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (said += chunk));
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  clearTimeout(timer);
  assert.deepEqual([code, signal], [0, null], `it must be able to exit; it said ${said}`);
  return JSON.parse(said) as { ticks: number; dropped: number; flushMs: number; newest: LogLine };
}

for (const style of ['json', 'pretty', 'shared']) {
  test(`a reader that never reads (${style}, socket) holds up neither the main thread nor the exit`, async (context) => {
    const { ticks, dropped, flushMs, newest } = await floodInto(context, 'pipe', style);
    assert.ok(ticks > 20, `the main thread went on: ${String(ticks)} ticks`);
    assert.ok(dropped > 1000, String(dropped));
    assert.ok(flushMs < 5000, String(flushMs));
    assert.equal(newest['burst'], 99, 'memory has them all the same');
  });
}

test(
  'a pipe that nobody reads holds up neither the main thread nor the exit',
  { skip: process.platform === 'win32' && 'needs mkfifo' },
  async (context) => {
    const path = join(await temporaryFolder(context), 'fifo');
    execFileSync('mkfifo', [path]);
    const fifo = openSync(path, constants.O_RDWR);
    context.after(() => closeSync(fifo));
    const { ticks, dropped } = await floodInto(context, fifo, 'json');
    assert.ok(ticks > 20 && dropped > 1000, `${String(ticks)} ticks, ${String(dropped)} dropped`);
  },
);

test('a reader that reads gets every line once and in order, but for those that are counted as dropped', async (context) => {
  const child = spawn(process.execPath, ['--import', 'tsx', flood, 'json', '20000'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  context.after(() => child.kill('SIGKILL'));
  let seen = '';
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (seen += chunk));
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (said += chunk));
  await once(child, 'close');
  const lines = seen
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as LogLine);
  const numbers = lines
    .filter(({ msg }) => msg === 'flood')
    .map(({ burst, line }) => Number(burst) * 50 + Number(line));
  const { dropped } = JSON.parse(said) as { dropped: number };
  assert.equal(numbers.length + dropped, 5000);
  assert.ok(numbers.every((number, index) => number > (numbers[index - 1] ?? -1)));
});

test('a reader that went away is no reason to end', async (context) => {
  const child = spawn(process.execPath, ['--import', 'tsx', flood, 'json'], { stdio: ['ignore', 'pipe', 'pipe'] });
  context.after(() => child.kill('SIGKILL'));
  child.stderr?.destroy();
  child.stdout?.resume();
  const [code] = (await once(child, 'exit')) as [number | null];
  assert.equal(code, 0);
});
