// A plugin's thread that is at the same thing for long without resting gets a lower priority, so that it takes less
// from the host and its neighbours; one that is quick, or waits, or only has much to do, keeps its own.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { getPriority } from 'node:os';
import { test } from 'node:test';
import { cellLab } from '../labs/cell-lab.ts';
import { withTools } from '../labs/tool-lab.ts';
import { until } from '../labs/until.ts';

const options = { skip: process.platform !== 'linux' };
const spin = 'const until = performance.now() + payload.ms; while (performance.now() < until);';

test('a handler that computes on and on is lowered while it does, and its thread stays so', options, async (t) => {
  const lab = await cellLab(t);
  const computed = lab.run(`${spin} return 1`, { ms: 3000 });
  await until('the thread is lowered', () => getPriority(lab.cell.register.osThread) === 2);
  assert.equal(await computed, 1);
  assert.equal(getPriority(lab.cell.register.osThread), 2);
  assert.equal(getPriority(process.pid), 0);
});

test('a handler that goes on for ever between turns of its event loop is lowered too', options, async (t) => {
  const lab = await cellLab(t);
  lab.begin(
    'for (;;) { const until = performance.now() + 1; while (performance.now() < until); await new Promise((resolve) => setImmediate(resolve)); }',
  );
  await until('the thread is lowered', () => getPriority(lab.cell.register.osThread) === 2);
});

test('many short events, and a long one that waits, lower nothing', options, async (t) => {
  const lab = await cellLab(t);
  const endMs = performance.now() + 600;
  while (performance.now() < endMs) await Promise.all(Array.from({ length: 20 }, () => lab.run(spin, { ms: 1 })));
  assert.equal(
    await lab.run(
      'for (let n = 0; n < 60; n += 1) { const until = performance.now() + 3; while (performance.now() < until); await new Promise((resolve) => setTimeout(resolve, 5)); } return 1',
    ),
    1,
  );
  assert.equal(getPriority(lab.cell.register.osThread), 0);
});

const loweredThreads = (): number =>
  readdirSync('/proc/self/task').filter((thread) => {
    try {
      return getPriority(Number(thread)) === 2;
    } catch {
      // It has ended meanwhile.
      return false;
    }
  }).length;

for (const isolation of ['pooled', 'fresh'] as const) {
  test(`a tool that loops is lowered until its deadline ends its thread (${isolation})`, options, async () => {
    await withTools('plain', { isolation }, async (lab) => {
      const before = loweredThreads();
      const refused = lab.refusal('loop', {}, { timeoutMs: 6000 });
      await until('a thread is lowered', () => loweredThreads() === before + 1);
      assert.equal((await refused).code, 'tool_timeout');
      await until('the lowered thread is gone', () => loweredThreads() === before);
    });
  });
}
