// A call that nobody wants any more is ended, waiting or running, and says who ended it.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { isolations, withTools, writtenIn } from '../labs/tool-lab.ts';
import { until } from '../labs/until.ts';

for (const isolation of isolations) {
  test(`a running ${isolation} call is cancelled at once, and the tool is told by its signal`, async (context) => {
    const path = join(await temporaryFolder(context), 'running');
    await withTools(
      'plain',
      { isolation, limits: { toolThreads: 1, abortGraceMs: 5000 } },
      async ({ call, refusal, failures, tools }) => {
        const controller = new AbortController();
        const refused = refusal('sleep', { ms: 60_000, path }, { signal: controller.signal });
        await until('the call runs', async () => (await writtenIn(path)) !== '');
        controller.abort('tool.cancel');
        const error = await refused;
        assert.equal(error.code, 'tool_cancelled');
        assert.equal(error.details['by'], 'tool.cancel');
        assert.equal(error.details['phase'], 'running');
        await until('the tool was told', async () => (await writtenIn(path)).includes('aborted: '));
        assert.equal(await call('echo', 'next'), 'next');
        assert.equal(failures.length, 0, "a cancelled call is nobody's failure");
        assert.equal(tools.pending, 0);
      },
    );
  });

  test(`a ${isolation} call that loops is cancelled as fast as one that does not`, async (context) => {
    const path = join(await temporaryFolder(context), 'looping');
    await withTools('plain', { isolation, limits: { toolThreads: 1 } }, async ({ call, refusal, tools }) => {
      const controller = new AbortController();
      const refused = refusal('loop', { path }, { signal: controller.signal });
      await until('the call runs', async () => (await writtenIn(path)) !== '');
      controller.abort(new Error('the connection was closed'));
      assert.equal((await refused).details['by'], 'the connection was closed');
      assert.equal(await call('echo', 'next'), 'next');
      await until('its cell is gone', () => tools.threads <= 1);
    });
  });

  test(`a waiting ${isolation} call is cancelled without ever running`, async (context) => {
    const folder = await temporaryFolder(context);
    const [running, waiting] = [join(folder, 'running'), join(folder, 'waiting')];
    await withTools('plain', { isolation, limits: { toolThreads: 1 } }, async ({ call, refusal }) => {
      const first = call('sleep', { ms: 1000, path: running });
      await until('the first call runs', async () => (await writtenIn(running)) !== '');
      const controller = new AbortController();
      const refused = refusal('sleep', { ms: 0, path: waiting }, { signal: controller.signal });
      controller.abort('tool.cancel');
      const error = await refused;
      assert.equal(error.code, 'tool_cancelled');
      assert.equal(error.details['phase'], 'queued');
      assert.equal(await first, 1000);
      assert.equal(await call('echo', 'next'), 'next');
      assert.equal(await writtenIn(waiting), '');
    });
  });
}

test('a call whose caller is gone already is not begun', async () => {
  await withTools('plain', {}, async ({ refusal, tools }) => {
    const error = await refusal('echo', 1, { signal: AbortSignal.abort('the connection was closed') });
    assert.equal(error.code, 'tool_cancelled');
    assert.equal(error.details['by'], 'the connection was closed');
    assert.equal(tools.threads, 0);
  });
});
