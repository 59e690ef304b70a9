// Whatever a tool throws is a typed error with the tool's own words, and the next call works.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PlainError } from '../../protocol/cell/plain-error.ts';
import { isolations, withTools } from '../labs/tool-lab.ts';

const thrown = [
  ['throwNull', 'NonError', /threw null/],
  ['throwUndefined', 'NonError', /threw undefined/],
  ['throwText', 'NonError', /threw "just text"/],
  ['throwGetters', 'NonError', /cannot be described/],
  ['throwCircular', 'Error', /goes round/],
  ['throwError', 'TypeError', /out of cheese/],
  ['rejectLater', 'RangeError', /too late/],
] as const;

for (const isolation of isolations) {
  test(`what a ${isolation} tool throws is tool_failed with its cause, and ends no thread`, async () => {
    await withTools('faults', { isolation, limits: { toolThreads: 1 } }, async ({ call, refusal, failures, tools }) => {
      for (const [tool, name, message] of thrown) {
        const error = await refusal(tool, null, { callId: tool });
        assert.equal(error.code, 'tool_failed', tool);
        const cause = error.details['cause'] as PlainError;
        assert.equal(cause.name, name, tool);
        assert.match(cause.message, message, tool);
        if (name !== 'NonError') assert.match(cause.stack ?? '', /faults\/index\.js/, tool);
        assert.equal(await call('ok'), 'fine');
      }
      assert.deepEqual(
        failures.map(({ error, callId }) => [error.code, callId]),
        thrown.map(([tool]) => ['tool_failed', tool]),
      );
      assert.equal(tools.pending, 0);
    });
  });
}

test('the code of an error that was thrown reaches the caller', async () => {
  await withTools('faults', {}, async ({ refusal }) => {
    assert.equal(((await refusal('throwError')).details['cause'] as PlainError).code, 'ERR_CHEESE');
  });
});
