// As many calls may wait as the bound says; beyond it a caller is told when to come again.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { HostError } from '../../protocol/errors.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { isolations, withTools, writtenIn } from '../labs/tool-lab.ts';
import { until } from '../labs/until.ts';

for (const isolation of isolations) {
  test(`${isolation} calls beyond the waiting room are refused at once, and those inside it run in order`, async (context) => {
    const folder = await temporaryFolder(context);
    const order = join(folder, 'order');
    await withTools(
      'plain',
      { isolation, limits: { toolThreads: 1, toolQueue: 3 } },
      async ({ call, refusal, tools }) => {
        const running = call('sleep', { ms: 700, path: order });
        await until('the first call runs', async () => (await writtenIn(order)) !== '');
        const waiting = [1, 2, 3].map((ms) => call('sleep', { ms }));
        const error = await refusal('sleep', { ms: 0 });
        assert.equal(error.code, 'tool_overloaded');
        assert.equal(error.retryable, true);
        assert.equal(error.details['waiting'], 3);
        assert.ok((error.details['retryAfterMs'] as number) >= 1);
        assert.equal(tools.pending, 4);
        const finished: unknown[] = [];
        await Promise.all([running, ...waiting].map(async (each) => finished.push(await each)));
        assert.deepEqual(finished, [700, 1, 2, 3]);
        assert.equal(await call('sleep', { ms: 5 }), 5);
      },
    );
  });
}

test('retryAfterMs follows how long calls take, and never goes past the next deadline', async (context) => {
  const path = join(await temporaryFolder(context), 'running');
  await withTools('plain', { limits: { toolThreads: 1, toolQueue: 1 } }, async ({ call, refusal }) => {
    const overload = async (runningMs: number, timeoutMs?: number): Promise<HostError> => {
      const began = (await writtenIn(path)).split('began').length;
      const running = call('sleep', { ms: runningMs, path }, timeoutMs === undefined ? {} : { timeoutMs }).catch(
        () => undefined,
      );
      await until('the call runs', async () => (await writtenIn(path)).split('began').length > began);
      const waiting = call('sleep', { ms: 1 });
      const refused = await refusal('sleep', { ms: 1 });
      await Promise.all([running, waiting]);
      return refused;
    };
    const unknown = await overload(600, 20_000);
    assert.ok((unknown.details['retryAfterMs'] as number) <= 20_000);
    const known = await overload(600);
    assert.ok((known.details['retryAfterMs'] as number) < 5000, 'calls took about 600 ms here');
    const nearDeadline = await overload(60_000, 400);
    assert.ok((nearDeadline.details['retryAfterMs'] as number) <= 400, 'by then the stuck call has been ended');
  });
});

test('the bound of waiting calls is one for all tools of the plugin', async () => {
  await withTools('plain', { limits: { toolThreads: 1, toolQueue: 2 } }, async ({ call, refusal }) => {
    const calls = [call('sleep', { ms: 1000 }), call('sleepToo', { ms: 1000 }), call('echo', 1), call('echo', 2)];
    assert.equal((await refusal('echo', 3)).code, 'tool_overloaded');
    assert.deepEqual(await Promise.all(calls), [1000, 1000, 1, 2]);
  });
});
