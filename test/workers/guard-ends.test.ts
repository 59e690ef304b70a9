// However a plugin brings its thread to an end, or tries to keep it from one: it is the end of that cell alone, told
// with its cause, in bounded time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CellEnd } from '../../daemon/cells/cell.ts';
import { cellLab } from '../labs/cell-lab.ts';

/** Answered first; what ends the cell comes after. */
const later = (code: string): string => `setTimeout(() => { ${code} }, 5); return "answered"`;

interface Ending {
  readonly what: string;
  readonly code: string;
  readonly reason: CellEnd['reason'];
  readonly message: RegExp;
  readonly stack?: RegExp;
}

const answered: readonly Ending[] = [
  {
    what: 'a throw in a timer',
    code: later('throw new Error("late")'),
    reason: 'uncaught_exception',
    message: /late/,
    stack: /Timeout/,
  },
  { what: 'a thrown null', code: later('throw null'), reason: 'uncaught_exception', message: /threw null/ },
  {
    what: 'a thrown object whose getters throw',
    code: later('throw { get message() { throw 1 }, get stack() { throw 2 }, toString() { throw 3 } }'),
    reason: 'uncaught_exception',
    message: /cannot be described/,
  },
  {
    what: 'a rejection nobody holds',
    code: 'void Promise.reject(new Error("unheld")); return "answered"',
    reason: 'unhandled_rejection',
    message: /unheld/,
  },
  {
    what: 'a rejection with undefined',
    code: 'void Promise.reject(); return "answered"',
    reason: 'unhandled_rejection',
    message: /threw undefined/,
  },
  {
    what: 'a rejection whose cause is itself',
    code: later('const error = new Error("circular"); error.cause = error; void Promise.reject(error)'),
    reason: 'unhandled_rejection',
    message: /circular/,
  },
  {
    what: 'an async generator that fails',
    code: 'async function* failing() { yield 1; throw new Error("generator"); } void (async () => { for await (const value of failing()); })(); return "answered"',
    reason: 'unhandled_rejection',
    message: /generator/,
  },
  {
    what: "a stream's error without a listener",
    code: 'const { Readable } = await import("node:stream"); new Readable({ read() { this.destroy(new Error("stream")) } }).resume(); return "answered"',
    reason: 'uncaught_exception',
    message: /stream/,
  },
  {
    what: "an emitter's error without a listener",
    code: later('new (process.getBuiltinModule("node:events"))().emit("error", new Error("emitted"))'),
    reason: 'uncaught_exception',
    message: /emitted/,
  },
  {
    what: 'a throw in a microtask',
    code: later('queueMicrotask(() => { throw new Error("micro") })'),
    reason: 'uncaught_exception',
    message: /micro/,
  },
  {
    what: 'a throw in nextTick',
    code: later('process.nextTick(() => { throw new Error("tick") })'),
    reason: 'uncaught_exception',
    message: /tick/,
  },
  {
    what: 'a stack overflow in a timer',
    code: later('(function deep() { deep() })()'),
    reason: 'uncaught_exception',
    message: /call stack/,
  },
  {
    what: 'removed listeners, and a throw',
    code: `process.removeAllListeners(); process.removeAllListeners("uncaughtException"); ${later('throw new Error("unlistened")')}`,
    reason: 'uncaught_exception',
    message: /unlistened/,
  },
  {
    what: 'removed listeners, and a rejection',
    code: `process.removeAllListeners("unhandledRejection"); ${later('void Promise.reject(new Error("unlistened"))')}`,
    reason: 'uncaught_exception',
    message: /unlistened/,
  },
  {
    what: 'a listener of its own for uncaught errors',
    code: `process.on("uncaughtException", () => {}); ${later('throw new Error("listened")')}`,
    reason: 'uncaught_exception',
    message: /listened/,
  },
  {
    what: 'a listener of its own for rejections',
    code: `process.on("unhandledRejection", () => {}); ${later('void Promise.reject(new Error("listened"))')}`,
    reason: 'unhandled_rejection',
    message: /listened/,
  },
  {
    what: 'captured exceptions',
    code: `try { process.setUncaughtExceptionCaptureCallback(() => {}) } catch {} try { process._fatalException = () => true } catch {} try { process.addUncaughtExceptionCaptureCallback(() => true) } catch {} ${later('throw new Error("captured")')}`,
    reason: 'uncaught_exception',
    message: /captured/,
  },
  { what: 'an exit in a timer', code: later('process.exit(0)'), reason: 'exit', message: /process\.exit\(0\)/ },
];

for (const { what, code, reason, message, stack } of answered) {
  test(`after the answer: ${what} ends the cell and is told`, async (t) => {
    const { run, ended } = await cellLab(t);
    assert.equal(await run(code), 'answered');
    const end = await ended;
    assert.equal(end.reason, reason, JSON.stringify(end));
    assert.match(end.error.message, message);
    if (stack !== undefined) assert.match(end.error.stack ?? '', stack);
  });
}

const ending: readonly Ending[] = [
  { what: 'process.exit()', code: 'process.exit(3)', reason: 'exit', message: /process\.exit\(3\)/ },
  { what: 'process.reallyExit()', code: 'process.reallyExit(3)', reason: 'exit', message: /process\.exit\(3\)/ },
  { what: 'process.abort()', code: 'process.abort()', reason: 'exit', message: /process\.abort\(\)/ },
  {
    what: 'an exit with listeners that loop',
    code: 'process.on("exit", () => { for (;;); }); process.on("beforeExit", () => { for (;;); }); process.exit(0)',
    reason: 'exit',
    message: /process\.exit\(0\)/,
  },
  {
    what: 'an exit inside try and finally',
    code: 'for (;;) try { process.exit(4) } catch {} finally { continue }',
    reason: 'exit',
    message: /process\.exit\(4\)/,
  },
  {
    what: 'an error listener that loops, and a throw',
    code: 'process.on("uncaughtExceptionMonitor", () => { for (;;); }); setTimeout(() => { throw new Error("monitored") }); return new Promise(() => {})',
    reason: 'killed',
    message: /./,
  },
];

for (const { what, code, reason, message } of ending) {
  test(`during an event: ${what} ends the cell, and no exit listener keeps it`, async (t) => {
    const lab = await cellLab(t, { limits: { abortGraceMs: 0 } });
    const began = performance.now();
    const unanswered = assert.rejects(lab.run(code), /the cell ended/);
    // One that loops where the cell could still have spoken is the deadline's affair.
    if (reason === 'killed') setTimeout(() => lab.cell.kill('its time is over'), 300);
    const end = await lab.ended;
    assert.equal(end.reason, reason, JSON.stringify(end));
    assert.match(end.error.message, message);
    assert.ok(performance.now() - began < 10_000);
    await unanswered;
  });
}

for (const { code, exitCode } of [
  { code: 'process.exit(0)', exitCode: 0 },
  { code: 'process.exit("7")', exitCode: 7 },
  { code: 'process.exitCode = 5; process.exit()', exitCode: 5 },
]) {
  test(`the exit code that a plugin asks for is told: ${code}`, async (t) => {
    const lab = await cellLab(t);
    lab.begin(code);
    const end = await lab.ended;
    assert.deepEqual([end.reason, end.exitCode], ['exit', exitCode]);
  });
}

test('nested timers, intervals and servers of a cell are gone with it', async (t) => {
  const { run, cell, ended } = await cellLab(t);
  const port = (await run(
    'setInterval(() => {}, 1); const server = (await import("node:net")).createServer().listen(0, "127.0.0.1"); await new Promise((resolve) => server.once("listening", resolve)); return server.address().port',
  )) as number;
  cell.end();
  await ended;
  const { connect } = await import('node:net');
  const code = await new Promise((resolve) =>
    connect(port, '127.0.0.1').on('error', (error: NodeJS.ErrnoException) => resolve(error.code)),
  );
  assert.equal(code, 'ECONNREFUSED');
});
