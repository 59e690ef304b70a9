// A thread cell that outgrows its memory budget is ended by the host and told with figures, long before V8's own hard
// limit; one that only has much garbage is not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cellLab } from '../labs/cell-lab.ts';

const endMs = 30_000;

const growths: readonly (readonly [what: string, code: string, text: RegExp])[] = [
  [
    'many arrays, in one loop',
    'const kept = []; for (;;) kept.push([kept.length, [kept.length, {}, {}, {}]]);',
    /MB of V8 heap; limits\.heapMb allows 64/,
  ],
  [
    'a Map, in one loop',
    'const map = new Map(); for (let n = 0; ; n += 1) map.set(n, { n });',
    /MB of V8 heap; limits\.heapMb allows 64/,
  ],
  [
    'texts, with an await between',
    'const kept = []; for (;;) { for (let n = 0; n < 1000; n += 1) kept.push("text " + n + kept.length); await null; }',
    /MB of V8 heap; limits\.heapMb allows 64/,
  ],
  [
    'Buffers outside the heap',
    'const kept = []; for (;;) { kept.push(Buffer.alloc(1024 * 1024, 1)); const until = performance.now() + 1; while (performance.now() < until); }',
    /MB outside it; limits\.rssMb allows 192 together/,
  ],
];

for (const [what, code, text] of growths) {
  test(`a cell that grows by ${what} is ended for its budget, and the figures and the place are told`, async (t) => {
    const lab = await cellLab(t, { spec: { heapMb: 64, rssMb: 192 } });
    const began = performance.now();
    const unanswered = assert.rejects(lab.run(code), /heap_limit/);
    const end = await lab.ended;
    await unanswered;
    assert.equal(end.reason, 'heap_limit', JSON.stringify(end));
    assert.match(end.error.message, text);
    assert.ok(performance.now() - began < endMs);
  });
}

test('a cell that grows between events, in a timer, is ended too', async (t) => {
  const lab = await cellLab(t, { spec: { heapMb: 64 } });
  assert.equal(
    await lab.run(
      'globalThis.kept = []; setInterval(() => { for (let n = 0; n < 20000; n += 1) kept.push([n, n, n]) }, 5); return "growing"',
    ),
    'growing',
  );
  const end = await lab.ended;
  assert.equal(end.reason, 'heap_limit', JSON.stringify(end));
});

test('the end for the budget names where the plugin was', async (t) => {
  const files = {
    'index.js':
      'function hoard(kept) {\n  for (let until = 0; ; until = performance.now() + 1) { while (performance.now() < until); for (let n = 0; n < 500; n += 1) kept.push([n, {}, {}, {}]); }\n}\nexport const service = { start() {}, handleIngress: () => hoard([]) };\n',
  };
  const lab = await cellLab(t, { spec: { heapMb: 64 }, files });
  lab.begin('');
  const end = await lab.ended;
  assert.equal(end.reason, 'heap_limit', JSON.stringify(end));
  assert.match(end.error.message, /it was blocked in index\.js:2:\d+, hoard/);
  assert.match(end.error.stack ?? '', /at hoard \(index\.js:2:\d+\)\n {4}at handleIngress \(index\.js:4:\d+\)/);
});

test('a cell with much garbage and little that stays is left alone', async (t) => {
  const lab = await cellLab(t, { spec: { heapMb: 64 } });
  const code =
    'const kept = []; for (let n = 0; n < 300000; n += 1) kept.push([n]); const until = performance.now() + 3000; let made = 0; while (performance.now() < until) { let last; for (let n = 0; n < 1000; n += 1) last = { n, text: "x" + n, more: [n, n] }; made += 1; if (made % 50 === 0) await new Promise((resolve) => setImmediate(resolve)); } return kept.length';
  assert.equal(await lab.run(code), 300_000);
  assert.ok(!lab.isOver());
});

test('the figures of a cell are those of its latest event, and cost its neighbours nothing', async (t) => {
  const lab = await cellLab(t);
  const before = lab.cell.usage().heapUsedMb;
  assert.ok(before > 1);
  await lab.run('globalThis.kept = []; for (let n = 0; n < 400000; n += 1) kept.push([n]); return 1');
  const until = performance.now() + 10_000;
  while (lab.cell.usage().heapUsedMb < before + 5 && performance.now() < until)
    await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(lab.cell.usage().heapUsedMb >= before + 5);
});
