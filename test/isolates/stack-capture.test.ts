// Where a plugin is when its time is up: its own frames by file, line and function, or that it waits, or that it sits
// in native code. Asking never stops the thread, never takes longer than its bound and never fails.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import inspector from 'node:inspector';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import ts from 'typescript';
import { type Whereabouts, whereText } from '../../daemon/isolates/whereabouts.ts';
import { type CellLab, type CellSetting, begun, cellLab } from '../labs/cell-lab.ts';

/** Asked until the thread has had the time to answer: a machine with much else to do gives it none for a while. */
async function located(lab: CellLab, wanted: Whereabouts['kind'] | undefined = undefined): Promise<Whereabouts> {
  const untilMs = performance.now() + 20_000;
  for (;;) {
    const where = await lab.cell.locate(40);
    // The event begins a moment before its handler does: then the thread is busy in none of the plugin's functions.
    const early = where.kind === 'javascript' && where.frames.length === 0;
    const isIt =
      wanted === undefined
        ? where.kind !== 'unknown' && where.kind !== 'native' && !early
        : where.kind === wanted && (where.kind !== 'waiting' || where.open !== undefined);
    if (isIt || performance.now() > untilMs) return where;
  }
}

/** Asks until the places are those of the source: the cell needs processor time to look them up in its source map. */
async function placesInSource(lab: CellLab, wanted: readonly string[]): Promise<string[]> {
  const untilMs = performance.now() + 20_000;
  for (;;) {
    const places = placesOf(await located(lab));
    if (places.join() === wanted.join() || performance.now() > untilMs) return places;
  }
}

const plugin = (handler: string, more = ''): Record<string, string> => ({
  'index.js': `${more}\nexport const service = { start() {}, handleIngress(event) {\n${handler}\n} };\n`,
});

async function stuck(t: TestContext, setting: CellSetting): Promise<CellLab> {
  const lab = await cellLab(t, setting);
  lab.begin('');
  await begun(lab);
  return lab;
}

const placesOf = ({ frames }: Whereabouts): string[] =>
  frames.map(({ file, line, function: name }) => `${name} ${file}:${String(line)}`);

test("a loop is told by the plugin's own frames, innermost first, and by nobody else's", async (t) => {
  const files = {
    ...plugin(
      'return work(event);',
      'import { spin } from "./lib/deep spin.js";\nfunction work(event) {\n  return [1].map(() => spin(event));\n}',
    ),
    'lib/deep spin.js': 'export function spin() {\n  for (;;);\n}\n',
  };
  const where = await located(await stuck(t, { files }));
  assert.equal(where.kind, 'javascript');
  assert.deepEqual(placesOf(where), [
    'spin lib/deep spin.js:2',
    '(anonymous) index.js:3',
    'work index.js:3',
    'handleIngress index.js:6',
  ]);
  assert.match(
    whereText(where),
    /^blocked in lib\/deep spin\.js:2:\d+, spin \(called from index\.js:6:\d+, handleIngress\)$/,
  );
});

test("a loop at a module's top level, before there is any handler, is told as that", async (t) => {
  const lab = await cellLab(t, {
    files: { 'index.js': 'import "./inner.js";\n', 'inner.js': '\nfor (;;);\n' },
    loads: false,
  });
  let where: Whereabouts = { kind: 'unknown', frames: [] };
  while (where.frames.length === 0) where = await located(lab);
  assert.deepEqual(placesOf(where), ['(top level) inner.js:2']);
});

for (const [what, handler, place] of [
  ['a pattern that takes for ever', 'return /^(a+)+$/.test("a".repeat(40) + "b");', 'handleIngress index.js:3'],
  ['Atomics.wait', 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);', 'handleIngress index.js:3'],
  ['code made at run time', 'return new Function("for (;;);")();', 'handleIngress index.js:3'],
  [
    'WebAssembly',
    'return new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array([0,97,115,109,1,0,0,0,1,4,1,96,0,0,3,2,1,0,7,7,1,3,114,117,110,0,0,10,9,1,7,0,3,64,12,0,11,11]))).exports.run();',
    'handleIngress index.js:3',
  ],
  [
    'a sort with a comparison',
    'return Array.from({ length: 30_000_000 }, (_, n) => -n).sort((a, b) => { for (;;); });',
    '(anonymous) index.js:3',
  ],
] as const) {
  test(`the plugin's frames are found below ${what}`, async (t) => {
    const where = await located(await stuck(t, { files: plugin(handler) }));
    assert.equal(where.kind, 'javascript', JSON.stringify(where));
    assert.ok(placesOf(where).includes(place), JSON.stringify(where));
    assert.ok(where.frames.every(({ file }) => ['index.js', '(eval)', '(WebAssembly)'].includes(file)));
  });
}

test('a recursion that is deep and never ends shows its innermost frames, and not more than twenty', async (t) => {
  const where = await located(
    await stuck(t, {
      files: plugin('return down(500);', 'function down(n) { if (n === 0) for (;;); return down(n - 1) + 1; }'),
    }),
  );
  assert.equal(where.frames.length, 20);
  assert.ok(where.frames.every((frame) => frame.function === 'down'));
});

test('a handler that awaits what does not come is told to wait, with what is still open in its cell', async (t) => {
  const nothing = await located(await stuck(t, { files: plugin('return new Promise(() => {});') }), 'waiting');
  assert.deepEqual(nothing, { kind: 'waiting', frames: [], open: [] });
  assert.match(whereText(nothing), /^waiting for something that did not come; nothing is open that could wake it$/);
  const lab = await stuck(t, {
    files: plugin('return new Promise((resolve) => { setTimeout(resolve, 60_000); setTimeout(resolve, 61_000); });'),
  });
  // The event has begun; that its handler has come so far may take another moment.
  await sleep(200);
  assert.match(whereText(await located(lab, 'waiting')), /open is 2 Timeout$/);
});

test('a handler that polls is told to wait, not to be in one of its short looks', async (t) => {
  const where = await located(
    await stuck(t, { files: plugin('return new Promise(() => { setInterval(() => {}, 20); });') }),
    'waiting',
  );
  assert.equal(where.kind, 'waiting');
});

test('a thread inside native code does not answer, and that is said within the bound', async (t) => {
  const lab = await stuck(t, {
    files: plugin(
      'return pbkdf2Sync("a", "b", 8_000_000, 64, "sha512").length;',
      'import { pbkdf2Sync } from "node:crypto";',
    ),
    limits: { killMs: 60_000 },
  });
  await located(lab, 'native');
  const began = performance.now();
  const where = await lab.cell.locate(40);
  const tookMs = performance.now() - began;
  assert.ok(['native', 'unknown'].includes(where.kind));
  assert.ok(tookMs >= 35 && tookMs < 500, `${String(tookMs)} ms`);
  assert.match(whereText({ kind: 'native', frames: [], doing: 'computing' }), /^inside native code that computes$/);
});

test("the host's own event loop is not held while it asks", async (t) => {
  const labs = await Promise.all(Array.from({ length: 4 }, () => stuck(t, { files: plugin('for (;;);') })));
  const heldMs = async (during: () => Promise<unknown>): Promise<number> => {
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    for (let round = 0; round < 5; round += 1) await during();
    delay.disable();
    return delay.percentile(50) / 1e6;
  };
  // What a busy machine makes of it beside four loops, asked or not.
  const anywayMs = await heldMs(() => sleep(40));
  const askingMs = await heldMs(() => Promise.all(labs.map(({ cell }) => cell.locate(40))));
  assert.ok(askingMs < 50 + anywayMs, `${String(askingMs)} ms, and ${String(anywayMs)} ms without`);
});

test('many threads are asked at once, and each is told by its own place', async (t) => {
  const labs = await Promise.all(
    Array.from({ length: 6 }, (_, n) =>
      stuck(t, { files: plugin(`return stuck${String(n)}();`, `function stuck${String(n)}() { for (;;); }`) }),
    ),
  );
  const wheres = await Promise.all(labs.map((lab) => located(lab)));
  assert.deepEqual(
    wheres.map(({ frames }) => frames[0]?.function),
    labs.map((_, n) => `stuck${String(n)}`),
  );
});

test('an event that is asked about and not ended goes on as if nothing had been', async (t) => {
  const lab = await cellLab(t);
  const answer = lab.run(
    'let sum = 0; const until = performance.now() + 600; while (performance.now() < until) sum += 1; return sum > 0',
  );
  await begun(lab);
  for (let n = 0; n < 10; n += 1) await lab.cell.locate(40);
  assert.equal(await answer, true);
  assert.equal(await lab.run('return 2'), 2);
});

test('a cell that ends while it is asked, or has ended before, is no trouble', async (t) => {
  const lab = await stuck(t, { files: plugin('for (;;);') });
  const asked = lab.cell.locate(1000);
  lab.cell.end();
  assert.equal(typeof (await asked).kind, 'string');
  await lab.ended;
  const began = performance.now();
  assert.deepEqual((await lab.cell.locate(1000)).frames, []);
  assert.ok(performance.now() - began < 900);
});

test('a thread is gone soon after its end was ordered, also where it was just being asked', async (t) => {
  for (let n = 0; n < 15; n += 1) {
    const lab = await stuck(t, {
      files: plugin(n % 2 === 0 ? 'for (;;);' : 'return /^(a+)+$/.test("a".repeat(40) + "b");'),
    });
    const asked = lab.cell.locate(n % 3);
    if (n % 5 !== 0) await sleep(n % 4);
    lab.cell.end();
    const end = await lab.ended;
    assert.notEqual(end.error.name, 'Unkillable');
    await asked;
  }
});

const typescript =
  'interface Event { readonly payload: { readonly code: string } }\n\ntype Work = () => never;\n\n/** Never comes back. */\nconst work: Work = function spin(): never {\n  for (;;);\n};\n\nexport const service = {\n  start(): void {},\n  handleIngress(_event: Event): never {\n    return work();\n  },\n};\n';

function compiled(options: ts.CompilerOptions): { readonly js: string; readonly map: string | undefined } {
  const { outputText, sourceMapText } = ts.transpileModule(typescript, {
    fileName: 'index.ts',
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, removeComments: true, ...options },
  });
  return { js: outputText, map: sourceMapText };
}

const inSource = ['spin src/index.ts:7', 'handleIngress src/index.ts:13'];

test('the lines told are those of the source, by a source map beside the compiled file', async (t) => {
  const { js, map } = compiled({ sourceMap: true });
  const files = {
    'dist/index.js': js,
    'dist/index.js.map': JSON.stringify({ ...(JSON.parse(map ?? '{}') as object), sources: ['../src/index.ts'] }),
  };
  const lab = await stuck(t, { files, entry: 'dist/index.js' });
  assert.deepEqual(await placesInSource(lab, inSource), inSource);
});

test('the lines told are those of the source, by a source map inside the compiled file', async (t) => {
  const { js } = compiled({ inlineSourceMap: true, sourceRoot: '../src/' });
  const lab = await stuck(t, { files: { 'dist/index.js': js }, entry: 'dist/index.js' });
  assert.deepEqual(await placesInSource(lab, inSource), inSource);
});

test("a source map that is missing, broken or no plain file leaves the compiled file's own lines", async (t) => {
  const { js } = compiled({ sourceMap: true });
  const maps: readonly Record<string, string>[] = [
    {},
    { 'dist/index.js.map': '{ broken' },
    { 'dist/index.js.map': '{"version":3,"sources":["../../../outside.ts"],"mappings":"AAAA","names":[]}' },
  ];
  for (const files of maps) {
    const where = await located(await stuck(t, { files: { 'dist/index.js': js, ...files }, entry: 'dist/index.js' }));
    assert.ok(
      where.frames.length === 2 && where.frames.every(({ file }) => file === 'dist/index.js'),
      JSON.stringify(where),
    );
  }
  const lab = await cellLab(t, { files: { 'dist/index.js': js }, entry: 'dist/index.js' });
  execFileSync('mkfifo', [`${lab.folder}/dist/index.js.map`]);
  lab.begin('');
  await begun(lab);
  assert.ok((await located(lab)).frames.every(({ file }) => file === 'dist/index.js'));
});

test('a TypeScript entry is told by its own lines', async (t) => {
  const lab = await stuck(t, { files: { 'src/index.ts': typescript }, entry: 'src/index.ts' });
  assert.deepEqual(await placesInSource(lab, inSource), inSource);
});

test('a plugin that breaks what it can reach of JavaScript is still found', async (t) => {
  const breaks =
    'Error.stackTraceLimit = 0; Error.prepareStackTrace = () => { throw 1; }; JSON.stringify = JSON.parse = () => { throw 2; }; Array.prototype.map = () => { throw 3; }; Symbol.for = () => { throw 4; }; process.getActiveResourcesInfo = () => { throw 5; };';
  const where = await located(
    await stuck(t, { files: plugin('return lost();', `${breaks} function lost() { for (;;); }`) }),
  );
  assert.deepEqual(
    where.frames.map((frame) => frame.function),
    ['lost', 'handleIngress'],
  );
});

test("a thread that somebody's debugger has stopped is ended all the same", async (t) => {
  inspector.open(0, '127.0.0.1');
  t.after(() => inspector.close());
  const user = new inspector.Session();
  user.connect();
  t.after(() => user.disconnect());
  const sessions: string[] = [];
  let paused = false;
  user.on('NodeWorker.attachedToWorker', ({ params }) => void sessions.push(params.sessionId));
  user.on(
    'NodeWorker.receivedMessageFromWorker',
    ({ params }) => (paused ||= params.message.includes('Debugger.paused')),
  );
  user.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
  const lab = await stuck(t, { files: plugin('for (;;);') });
  const post = (id: number, method: string): void =>
    user.post('NodeWorker.sendMessageToWorker', {
      sessionId: sessions.at(-1) ?? '',
      message: JSON.stringify({ id, method }),
    });
  post(1, 'Debugger.enable');
  post(2, 'Debugger.pause');
  while (!paused) await sleep(5);
  await located(lab, 'javascript');
  lab.cell.end();
  const end = await lab.ended;
  assert.notEqual(end.error.name, 'Unkillable');
});

test("under Node's permission model nothing is claimed that is not known", async (t) => {
  const flag = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission';
  const lab = await stuck(t, { files: plugin('for (;;);'), spec: { execArgv: [flag, '--allow-fs-read=*'] } });
  const where = await lab.cell.locate(40);
  assert.deepEqual(where, { kind: 'unknown', frames: [] });
  assert.equal(whereText(where), '');
});
