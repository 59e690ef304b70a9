// Who has come to a bound is told which setting raises it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inputTooLarge, overloaded } from '../../daemon/tools/tool-errors.ts';
import { resultJson } from '../../workers/tool-output.ts';
import { refusal } from '../labs/runtime-lab.ts';

test('what was too large or too much for a tool names its setting in words and in the details', async () => {
  for (const [error, limit] of [
    [inputTooLarge('order', 10, 5), 'limits.toolInputBytes'],
    [overloaded('order', 100, 50), 'limits.toolQueue'],
    [await refusal(() => resultJson('x'.repeat(100), 10)), 'limits.toolOutputBytes'],
  ] as const) {
    assert.ok(error.message.includes(limit), error.message);
    assert.equal(error.details['limit'], limit);
  }
});
