// Callers of tools are told of their answers apart from the work on the calls.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnsweredCalls } from '../../daemon/tools/answered-calls.ts';

function answeredCalls(): { readonly calls: AnsweredCalls; runSoon(): void } {
  const soon: (() => void)[] = [];
  return { calls: new AnsweredCalls({ soon: (run) => void soon.push(run) }), runSoon: () => soon.shift()?.() };
}

test('callers are told in the order of their answers, and never at the answer itself', () => {
  const { calls, runSoon } = answeredCalls();
  const told: string[] = [];
  calls.add({ tell: () => void told.push('first') });
  calls.add({
    tell: () => {
      told.push('second');
      calls.add({ tell: () => void told.push('made by the second') });
    },
  });
  calls.add({ tell: () => void told.push('third') });
  assert.deepEqual(told, []);
  runSoon();
  assert.deepEqual(told, ['first', 'second', 'third']);
  runSoon();
  assert.deepEqual(told, ['first', 'second', 'third', 'made by the second']);
});

test('an error where one caller is told keeps no other from its answer', () => {
  const { calls, runSoon } = answeredCalls();
  const told: string[] = [];
  calls.add({
    tell: () => {
      throw new Error('not foreseen');
    },
  });
  calls.add({ tell: () => void told.push('the next') });
  assert.throws(runSoon, /not foreseen/);
  runSoon();
  assert.deepEqual(told, ['the next']);
});
