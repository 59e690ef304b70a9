// A call is answered at its deadline, and only its own cell is ended.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { isolations, withTools, writtenIn } from '../labs/tool-lab.ts';
import { until } from '../labs/until.ts';

for (const isolation of isolations) {
  test(`a ${isolation} call past its deadline is answered then, and ends no other call`, async (context) => {
    const path = join(await temporaryFolder(context), 'neighbour');
    await withTools('plain', { isolation, limits: { toolThreads: 2 } }, async ({ call, refusal, tools, failures }) => {
      const neighbour = call('sleep', { ms: 1500, path });
      await until('the neighbour runs', async () => (await writtenIn(path)) !== '');
      const beganMs = performance.now();
      const error = await refusal('loop', {}, { timeoutMs: 700, callId: 'stuck' });
      const tookMs = performance.now() - beganMs;
      assert.equal(error.code, 'tool_timeout');
      assert.equal(error.details['tool'], 'loop');
      assert.equal(error.details['timeoutMs'], 700);
      assert.ok(
        typeof error.details['waitedMs'] === 'number',
        'what its cell took to start is in it, and not in the 700 ms',
      );
      assert.ok(tookMs >= 690 && tookMs < 3000, `answered after ${String(tookMs)} ms`);
      assert.equal(await neighbour, 1500);
      assert.equal(await call('echo', 'next'), 'next');
      assert.deepEqual(
        failures.map(({ error: { code }, callId }) => [code, callId]),
        [['tool_timeout', 'stuck']],
      );
      await until('what overran is gone', () => tools.threads <= 2);
      assert.equal(tools.pending, 0);
    });
  });

  test(`the timeout of a ${isolation} call says whether it ran or never came so far`, async (context) => {
    const path = join(await temporaryFolder(context), 'running');
    await withTools('plain', { isolation, limits: { toolThreads: 1 } }, async ({ call, refusal }) => {
      const first = call('sleep', { ms: 2500, path });
      await until('the first call runs', async () => (await writtenIn(path)) !== '');
      const queued = await refusal('sleep', { ms: 0 }, { timeoutMs: 200 });
      assert.equal(queued.details['phase'], 'queued');
      assert.ok((queued.details['waitedMs'] as number) >= 190);
      assert.match(queued.message, /waiting/);
      assert.equal(await first, 2500, 'the call that ran is not disturbed by one that waited');
      await call('echo', 'warm');
      const ran = await refusal('loop', {}, { timeoutMs: 1000 });
      assert.equal(ran.details['phase'], 'running');
    });
  });
}

test("the tool's own timeout holds where the call names none, and a call may name a longer one", async () => {
  await withTools('plain', {}, async ({ call, refusal, tools }) => {
    assert.equal(await call('sleep', { ms: 20 }, { timeoutMs: 86_400_000 }), 20);
    const error = await refusal('sleep', { ms: 60_000 }, { timeoutMs: 1 });
    assert.equal(error.code, 'tool_timeout');
    assert.equal(tools.pending, 0);
  });
});

test('a call whose thread sits in native code is answered at its deadline, and the thread is counted until it is gone', async () => {
  await withTools('plain', { limits: { toolThreads: 1, killMs: 50 } }, async ({ call, refusal, tools, failures }) => {
    await call('echo', 'warm');
    const beganMs = performance.now();
    const error = await refusal('nativeBlock', { rounds: 3_000_000 }, { timeoutMs: 300 });
    assert.equal(error.code, 'tool_timeout');
    assert.ok(performance.now() - beganMs < 2000, 'nobody waits for the thread');
    assert.equal(await call('echo', 'next'), 'next');
    assert.equal(tools.threads, 2, 'the old thread is still there');
    await until('it is told that a thread does not end', () =>
      failures.some(({ error: { details } }) => details['unkillable'] === true),
    );
    assert.equal(tools.unkillable, 1);
    await until('the thread is gone', () => tools.threads === 1);
    assert.equal(tools.unkillable, 0);
  });
});

test('threads that do not end are bounded: beyond that, calls wait', async () => {
  await withTools('plain', { limits: { toolThreads: 1, killMs: 50 } }, async ({ refusal, tools }) => {
    for (let attempt = 0; attempt < 6; attempt += 1) {
      assert.equal((await refusal('nativeBlock', { rounds: 2_500_000 }, { timeoutMs: 250 })).code, 'tool_timeout');
      assert.ok(tools.threads <= 5, `${String(tools.threads)} threads`);
    }
    await until('all of them are gone', () => tools.threads === 0, 60_000);
  });
});

test('a tool that reacts to its signal ends before its cell does', async (context) => {
  for (const isolation of isolations) {
    const path = join(await temporaryFolder(context), isolation);
    await withTools('plain', { isolation, limits: { abortGraceMs: 5000 } }, async ({ call, refusal }) => {
      await call('echo', 'warm');
      const error = await refusal('sleep', { ms: 60_000, path }, { timeoutMs: 1500 });
      assert.equal(error.code, 'tool_timeout');
      await until(`the ${isolation} tool was told`, async () =>
        /aborted: .*did not answer within 1500 ms/.test(await writtenIn(path)),
      );
      assert.equal(await call('echo', 'next'), 'next');
    });
  }
});
