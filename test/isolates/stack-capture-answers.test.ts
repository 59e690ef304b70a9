// The answer to a call or an event that overran names the place, within the caller's deadline and a little more.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Whereabouts } from '../../daemon/isolates/whereabouts.ts';
import { HostError } from '../../protocol/errors.ts';
import { type Lab, lab } from '../labs/service-lab.ts';
import { isolations, withTools } from '../labs/tool-lab.ts';

const generousMs = 400;
const placeOf = (error: HostError): string =>
  (error.details['where'] as Whereabouts).frames.map(({ file, function: name }) => `${name} ${file}`).join(' < ');

/** Tried again where a busy machine gave the thread no time to answer with. */
async function untilTold(attempt: () => Promise<HostError>): Promise<HostError> {
  for (let n = 0; ; n += 1) {
    const error = await attempt();
    const where = error.details['where'] as Whereabouts;
    if (where.kind === 'javascript' || (where.kind === 'waiting' && where.open !== undefined) || n === 10) return error;
  }
}

for (const isolation of isolations) {
  test(`a ${isolation} tool past its deadline is told by the place where it was`, async () => {
    await withTools('plain', { isolation }, async ({ refusal, call }) => {
      await call('echo', 'warm');
      const error = await untilTold(() => refusal('loop', {}, { timeoutMs: 800 }));
      assert.equal(error.code, 'tool_timeout');
      assert.equal(placeOf(error), 'loop index.js');
      assert.match(
        error.message,
        /did not answer within 800 ms: it was running, blocked in index\.js:\d+:\d+, loop\.$/,
      );
      const waiting = await untilTold(() => refusal('sleep', { ms: 60_000 }, { timeoutMs: 800 }));
      assert.equal((waiting.details['where'] as Whereabouts).kind, 'waiting');
      assert.match(waiting.message, /waiting for something that did not come; open is Timeout\.$/);
      assert.equal(await call('echo', 'next'), 'next');
    });
  });
}

for (const isolation of ['pooled', 'process'] as const) {
  test(`a ${isolation} tool that is stuck at its import is told by its top level`, async () => {
    await withTools('loops-at-import', { isolation, env: { FIXTURE_TOKEN: process.execPath } }, async ({ refusal }) => {
      const error = await untilTold(() => refusal('ok', {}, { timeoutMs: 1500 }));
      assert.equal(error.details['phase'], 'importing');
      assert.equal(placeOf(error), '(top level) index.js');
    });
  });
}

test('many tools that overrun at once are answered in time, each with its own place', async () => {
  await withTools('plain', { limits: { toolThreads: 4 } }, async ({ refusal, call }) => {
    await Promise.all(Array.from({ length: 4 }, () => call('sleep', { ms: 50 })));
    const began = performance.now();
    const errors = await Promise.all(Array.from({ length: 4 }, () => refusal('loop', {}, { timeoutMs: 1000 })));
    assert.ok(performance.now() - began < 1000 + generousMs * 2, `${String(performance.now() - began)} ms`);
    for (const error of errors) assert.ok(['loop index.js', ''].includes(placeOf(error)), placeOf(error));
  });
});

async function running(t: TestContext, override: Record<string, unknown>): Promise<Lab> {
  const made = await lab(override);
  t.after(() => made.service.stop({ now: true }).catch(() => {}));
  await made.service.start();
  return made;
}

test('an event past its deadline is answered within 50 ms more, with the place where its handler was', async (t) => {
  const made = await running(t, { timeouts: { handleMs: 300 } });
  const tooks: number[] = [];
  const error = await untilTold(async () => {
    if (made.service.lifecycle !== 'running') await made.service.start();
    await made.deliver({ do: 'echo', value: 1 });
    const began = performance.now();
    try {
      await made.deliver({ do: 'loop' });
    } catch (thrown) {
      tooks.push(performance.now() - began);
      assert.ok(thrown instanceof HostError);
      return thrown;
    }
    throw new Error('a loop answered');
  });
  assert.equal(error.code, 'dispatch_timeout');
  assert.equal(placeOf(error), 'loop index.js < handleIngress index.js');
  assert.match(error.message, /blocked in index\.js:\d+:\d+, loop \(called from index\.js:\d+:\d+, handleIngress\)/);
  assert.ok(Math.min(...tooks) < 300 + generousMs, `${String(tooks)} ms`);
});
