// What a thread cell refuses its plugin: nothing happens to the daemon, and the error says what would allow it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CellLab, Thrown, cellLab } from '../labs/cell-lab.ts';

/** Each denied function, reached the ways plugins reach it. */
const denied: readonly (readonly [what: string, code: string, remedy: RegExp])[] = [
  ['a signal to the daemon', 'process.kill(process.pid, "SIGTERM")', /process\.exit\(\)/],
  ["a signal to the daemon's group", 'process.kill(0)', /process\.exit\(\)/],
  ["a signal to the daemon's parent", 'process.kill(process.ppid, "SIGTERM")', /process\.exit\(\)/],
  ['another working folder', 'process.chdir("/")', /"isolation": "process"/],
  ['another umask', 'process.umask(0)', /"isolation": "process"/],
  ['another user', 'process.setuid(0)', /"isolation": "process"/],
  ['an internal binding', 'process.binding("fs")', /"isolation": "process"/],
  ['a native addon', 'process.dlopen({ exports: {} }, "/nowhere.node")', /"permissions": \{ "addons": true \}/],
  [
    'a native addon by require',
    '(await import("node:module")).createRequire("/")("./nowhere.node")',
    /nowhere\.node|addons/,
  ],
  ["V8's flags", '(await import("node:v8")).setFlagsFromString("--no-opt")', /"isolation": "process"/],
  ['capture of uncaught errors', 'process.setUncaughtExceptionCaptureCallback(() => {})', /Catch the error/],
  ['a report in a file', 'process.report.writeReport()', /"isolation": "process"/],
  ["an inspector's port", '(await import("node:inspector")).open(0)', /"isolation": "process"/],
  [
    "an inspector's port by its promises",
    '(await import("node:inspector/promises")).open(0)',
    /"isolation": "process"/,
  ],
  [
    'inspection of the main thread',
    'new (await import("node:inspector")).Session().connectToMainThread()',
    /"isolation": "process"/,
  ],
  ['an inspector session', 'new (await import("node:inspector")).Session().connect()', /"isolation": "process"/],
  [
    'an inspector session by its promises',
    'new (await import("node:inspector/promises")).Session().connect()',
    /"isolation": "process"/,
  ],
  ['a thread for loaders', '(await import("node:module")).register("data:text/javascript,")', /"isolation": "process"/],
  [
    "a script's cache",
    'const vm = await import("node:vm"); new vm.Script("1", { cachedData: Buffer.alloc(64) })',
    /Compile the source/,
  ],
  [
    "a script's cache by the class below",
    'const vm = await import("node:vm"); new (Object.getPrototypeOf(vm.Script))("1", "x", 0, 0, Buffer.alloc(64), false, undefined)',
    /Compile the source/,
  ],
  [
    "a script's cache where it is run at once",
    '(await import("node:vm")).runInThisContext("1", { cachedData: Buffer.alloc(64) })',
    /Compile the source/,
  ],
  [
    "a script's cache in another context",
    '(await import("node:vm")).runInNewContext("1", {}, { cachedData: Buffer.alloc(64) })',
    /Compile the source/,
  ],
  [
    "a function's cache",
    '(await import("node:vm")).compileFunction("1", [], { cachedData: Buffer.alloc(64) })',
    /Compile the source/,
  ],
  [
    "a script's cache that all options inherit",
    'const vm = await import("node:vm"); Object.prototype.cachedData = Buffer.alloc(64); try { new vm.Script("1", "name") } finally { delete Object.prototype.cachedData }',
    /Compile the source/,
  ],
  ['a blocking exec', '(await import("node:child_process")).execSync("true")', /without Sync/],
  ['a blocking exec of a file', '(await import("node:child_process")).execFileSync("true")', /without Sync/],
  ['a blocking spawn', '(await import("node:child_process")).spawnSync("true")', /without Sync/],
  [
    'a worker of its own',
    'new (await import("node:worker_threads")).Worker("0", { eval: true })',
    /"permissions": \{ "worker": true \}/,
  ],
  [
    'a worker of its own, by require',
    'new (process.getBuiltinModule("node:worker_threads")).Worker("0", { eval: true })',
    /"permissions": \{ "worker": true \}/,
  ],
  ["the daemon's priority", '(await import("node:os")).setPriority(process.pid, 19)', /"isolation": "process"/],
  ['the priority of whatever is meant by none', '(await import("node:os")).setPriority(19)', /"isolation": "process"/],
];

async function refusalOf({ run }: CellLab, code: string): Promise<Thrown> {
  try {
    const answered = await run(code);
    throw new Error(`${code} answered ${JSON.stringify(answered)}`);
  } catch (thrown) {
    assert.ok(thrown instanceof Thrown, String(thrown));
    return thrown;
  }
}

test('what would act on the whole daemon is refused with an error that says what allows it', async (t) => {
  const lab = await cellLab(t);
  for (const [what, code, remedy] of denied) {
    await t.test(what, async () => {
      const { failure } = await refusalOf(lab, code);
      assert.match(failure.message, remedy);
      if (!what.endsWith('by require')) assert.equal(failure.code, 'ERR_NAGAYA_DENIED', failure.message);
      assert.ok(!lab.isOver());
    });
  }
  assert.equal(await lab.run('return "still here"'), 'still here');
});

test('what a grant allows is let through', async (t) => {
  const granted = await cellLab(t, { spec: { grants: { worker: true, addons: true } } });
  const code =
    'const { Worker } = await import("node:worker_threads"); return new Promise((resolve) => new Worker("require(\'node:worker_threads\').parentPort.postMessage(\'from inside\')", { eval: true }).on("message", resolve))';
  assert.equal(await granted.run(code), 'from inside');
  const { failure } = await refusalOf(granted, 'process.dlopen({ exports: {} }, "/nowhere.node")');
  assert.equal(failure.code, 'ERR_DLOPEN_FAILED');
});

test('a granted worker thread is kept from the daemon as its cell is', async (t) => {
  const { run, logs } = await cellLab(t, { spec: { grants: { worker: true, addons: false } } });
  const inside =
    'const out = []; for (const act of [() => process.kill(process.pid), () => require("node:child_process").execSync("true"), () => process.dlopen({ exports: {} }, "/x"), () => require("node:fs").closeSync(3)]) { try { act(); out.push("done") } catch (error) { out.push(error.code) } } require("node:fs").writeSync(1, "written below\\n"); require("node:worker_threads").parentPort.postMessage(out)';
  const answer = await run(
    `const { Worker } = await import("node:worker_threads"); return new Promise((resolve, reject) => new Worker(${JSON.stringify(inside)}, { eval: true }).on("message", resolve).on("error", reject))`,
  );
  assert.deepEqual(answer, Array(4).fill('ERR_NAGAYA_DENIED'));
  while (!logs.some(({ text }) => text === 'written below')) await new Promise((resolve) => setTimeout(resolve, 5));
});

test('a granted worker thread runs nothing before its guard, and its class leads to no other', async (t) => {
  const { run } = await cellLab(t, { spec: { grants: { worker: true, addons: false } } });
  const tries = [
    'new Worker("0", { eval: true, execArgv: ["--require", "/nowhere.cjs"] })',
    'new Worker("0", { eval: true, execArgv: ["--import", "data:text/javascript,"] })',
    'new Worker("0", { eval: true, execArgv: ["--experimental-loader=/nowhere.mjs"] })',
    'new Worker("0", { eval: true, env: { NODE_OPTIONS: "--require /nowhere.cjs" } })',
  ];
  const code = `const { Worker } = await import("node:worker_threads"); const out = []; for (const act of [${tries.map((attempt) => `() => ${attempt}`).join(', ')}]) { try { act(); out.push("done") } catch (error) { out.push(error.code) } } const worker = new Worker("0", { eval: true, execArgv: ["--no-warnings"] }); return [out, Object.getPrototypeOf(Worker).name, worker.constructor === Worker, worker instanceof Worker]`;
  assert.deepEqual(await run(code), [Array(4).fill('ERR_NAGAYA_DENIED'), 'EventEmitter', true, true]);
});

test('scripts without a cache run as ever', async (t) => {
  const { run } = await cellLab(t);
  const code =
    'const vm = await import("node:vm"); class Own extends vm.Script {} const script = new vm.Script("1 + 1", { filename: "x.js", produceCachedData: true }); return [script.runInThisContext(), script.cachedData.length > 0, script instanceof vm.Script, new Own("3").runInNewContext(), vm.compileFunction("return a", ["a"], { filename: "y.js" })(4), vm.isContext(vm.createContext({}))]';
  assert.deepEqual(await run(code), [2, true, true, 3, 4, true]);
});

test('what stays harmless still works: its own report, title, umask, handles and priority of its own children', async (t) => {
  const { run } = await cellLab(t);
  const before = process.title;
  assert.deepEqual(
    await run(
      'const { header, environmentVariables } = process.report.getReport(); return [header.arch, environmentVariables ?? null, Object.keys(header).includes("commandLine")]',
    ),
    [process.arch, null, false],
  );
  assert.equal(await run('process.title = "mine"; return process.title'), 'mine');
  assert.equal(process.title, before);
  assert.equal(await run('return process.umask()'), process.umask());
  assert.deepEqual(await run('return process._getActiveHandles().map((handle) => handle.constructor.name)'), []);
  assert.equal(await run('return process.kill(process.pid, 0)'), true);
  assert.equal(
    await run('const { EventEmitter } = await import("node:events"); return process instanceof EventEmitter'),
    true,
  );
});

test('libraries may wrap what a cell has put in place', async (t) => {
  const { run, ended } = await cellLab(t);
  await run(
    '"use strict"; const exit = process.exit, reallyExit = process.reallyExit, emit = process.emit; process.exit = (code) => exit(code); process.reallyExit = (code) => reallyExit(code); process.emit = function (...args) { return emit.apply(this, args) }; return 1',
  );
  await assert.rejects(run('process.exit(7)'), /the plugin called process\.exit\(7\)/);
  assert.equal((await ended).reason, 'exit');
});

test('the own children of a plugin can be ended by it', async (t) => {
  const { run } = await cellLab(t);
  const signal = await run(
    'const { spawn } = await import("node:child_process"); const child = spawn("sleep", ["60"]); setTimeout(() => process.kill(child.pid, "SIGKILL"), 10); return new Promise((resolve) => child.on("exit", (code, signal) => resolve(signal)))',
  );
  assert.equal(signal, 'SIGKILL');
});
