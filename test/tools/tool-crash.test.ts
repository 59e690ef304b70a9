// A cell that ends under a call fails that call with its cause; a cell that ends after its answer fails nobody.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { PlainError } from '../../protocol/cell/plain-error.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { answerOf, isolations, withTools, writtenIn } from '../labs/tool-lab.ts';
import { until } from '../labs/until.ts';

const crashes = [
  ['exit', /process\.exit\(7\)|exit code 7/],
  ['exitLater', /process\.exit\(0\)|exit code 0/],
  ['abort', /process\.abort\(\)|SIGABRT/],
  ['throwInTimer', /nobody catches this/],
  ['rejectInBackground', /nobody awaits this/],
] as const;

for (const isolation of isolations) {
  test(`a ${isolation} cell that ends under a call is tool_crashed with its cause, and the next call works`, async () => {
    await withTools('faults', { isolation, limits: { toolThreads: 1 } }, async ({ call, refusal, failures, tools }) => {
      for (const [tool, cause] of crashes) {
        const error = await refusal(tool);
        assert.equal(error.code, 'tool_crashed', tool);
        assert.match((error.details['cause'] as PlainError).message, cause, tool);
        assert.equal(error.retryable, true);
        assert.equal(await call('ok'), 'fine', `after ${tool}`);
      }
      assert.deepEqual(
        failures.map(({ error }) => error.code),
        crashes.map(() => 'tool_crashed'),
      );
      await until('only cells that can work are left', () => tools.threads <= 1);
    });
  });

  test(`a ${isolation} cell that runs out of memory is tool_crashed and says so`, async () => {
    await withTools('faults', { isolation, heapMb: 64, limits: { toolThreads: 1 } }, async ({ call, refusal }) => {
      const error = await refusal('fillHeap', null, { timeoutMs: 60_000 });
      assert.equal(error.code, 'tool_crashed');
      // A thread is ended before V8 would have to, unless V8 is faster.
      assert.match(
        String(error.details['reason']),
        isolation === 'process' ? /^out_of_memory$/ : /^(?:heap_limit|out_of_memory)$/,
      );
      assert.equal(await call('ok'), 'fine');
    });
  });

  for (const tool of ['throwAfterAnswer', 'rejectAfterAnswer']) {
    test(`${tool}: what a ${isolation} tool throws after its answer fails no call`, async () => {
      await withTools('faults', { isolation, limits: { toolThreads: 1 } }, async ({ call, failures }) => {
        for (const afterMs of [0, 1, 10]) {
          assert.equal(await call(tool, { afterMs }), 'answered');
          if (isolation === 'pooled') await until('the crash was told', () => failures.length > 0);
          assert.equal(await call('ok'), 'fine');
          for (const { error, callId } of failures.splice(0)) {
            assert.equal(error.code, 'tool_crashed');
            assert.equal(callId, undefined);
            assert.match((error.details['cause'] as PlainError).message, /after the answer/);
          }
        }
      });
    });
  }

  test(`calls that follow at once on a ${isolation} cell about to die are answered with their own results`, async () => {
    await withTools('faults', { isolation, limits: { toolThreads: 2 } }, async ({ tools, call }) => {
      const signal = new AbortController().signal;
      for (let round = 0; round < 15; round += 1) {
        const outcomes = await Promise.allSettled(
          Array.from({ length: 6 }, (_, index) =>
            index % 2 === 0
              ? answerOf(tools, { tool: 'throwAfterAnswer', input: { afterMs: round % 3 }, signal })
              : answerOf(tools, { tool: 'ok', input: null, signal }),
          ),
        );
        for (const [index, outcome] of outcomes.entries()) {
          if (outcome.status === 'fulfilled')
            assert.equal(outcome.value.outputJson, index % 2 === 0 ? '"answered"' : '"fine"');
          else assert.equal((outcome.reason as { code?: string }).code, 'tool_crashed');
        }
      }
      assert.equal(await call('ok'), 'fine');
      assert.equal(tools.pending, 0);
    });
  });
}

test('a late throw ends the call that runs in the same thread by then, as crashed and never as answered', async () => {
  await withTools('faults', { isolation: 'pooled', limits: { toolThreads: 1 } }, async ({ call, refusal }) => {
    assert.equal(await call('throwAfterAnswer', { afterMs: 300 }), 'answered');
    const error = await refusal('waitForEver');
    assert.equal(error.code, 'tool_crashed');
    assert.match((error.details['cause'] as PlainError).message, /thrown after the answer/);
    assert.equal(await call('ok'), 'fine');
  });
});

test('an answer given right before its cell ends is not lost, however busy the host is', async () => {
  for (const isolation of ['pooled', 'process'] as const) {
    await withTools('faults', { isolation, limits: { toolThreads: 1 } }, async ({ call }) => {
      const idle = new Int32Array(new SharedArrayBuffer(4));
      for (let round = 0; round < 10; round += 1) {
        assert.equal(await call('ok'), 'fine');
        const answer = call('throwAfterAnswer', { afterMs: round % 2 });
        await turn();
        // The answer and the end of the cell come while the host does something else.
        Atomics.wait(idle, 0, 0, 60);
        assert.equal(await answer, 'answered', `${isolation}, round ${String(round)}`);
      }
    });
  }
});

test('what a call leaves looping in its thread does not cost the next call more than a moment', async (context) => {
  const path = join(await temporaryFolder(context), 'looping');
  await withTools('faults', { isolation: 'pooled', limits: { toolThreads: 1 } }, async ({ call, tools }) => {
    assert.equal(await call('loopAfterAnswer', { path, afterMs: 20 }), 'answered');
    await until('it loops', async () => (await writtenIn(path)) !== '');
    assert.equal(await call('ok'), 'fine');
    await until('the looping cell is gone', () => tools.threads === 1);
  });
});

test("process.kill of the daemon is refused in a thread, as the tool's own error", async () => {
  for (const isolation of ['pooled', 'fresh'] as const) {
    await withTools('faults', { isolation }, async ({ call, refusal }) => {
      const error = await refusal('killDaemon');
      assert.equal(error.code, 'tool_failed');
      assert.equal((error.details['cause'] as PlainError).code, 'ERR_NAGAYA_DENIED');
      assert.equal(await call('ok'), 'fine');
    });
  }
});
