// Messages that hold a number, or follow what a plugin said, read as sentences.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plural, sentence } from '../../protocol/plural.ts';

test('one is told in the singular, none and several in the plural', () => {
  assert.deepEqual(
    [0, 1, 2].map((count) => plural(count, 'event')),
    ['0 events', '1 event', '2 events'],
  );
  assert.deepEqual(
    [1, 2].map((count) => plural(count, 'entry waits', 'entries wait')),
    ['1 entry waits', '2 entries wait'],
  );
});

test('what a plugin said ends as a sentence, and only once', () => {
  assert.deepEqual(['in use', 'in use.', 'why?', 'cut…'].map(sentence), ['in use.', 'in use.', 'why?', 'cut…']);
});
