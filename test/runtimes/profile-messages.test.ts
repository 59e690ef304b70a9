// What a program says is held to its bounds on the host too: a cell is where the host does not trust what it hears.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCellMessage } from '../../daemon/cells/cell-message.ts';
import { RunningInput } from '../../daemon/runtimes/programs/running-input.ts';

const input = { eventId: 'e', kind: 'user', content: '', createdAt: '', history: [], state: () => undefined } as const;
const plain = (text: string): string => text;

test('only a piece of text for a turn is a piece', () => {
  assert.ok(isCellMessage({ type: 'say', turn: 1, text: '' }));
  assert.ok(isCellMessage({ type: 'sayDropped', pieces: 3 }));
  for (const wrong of [
    { text: 'x' },
    { turn: 1 },
    { turn: '1', text: 'x' },
    { turn: -1, text: 'x' },
    { turn: 1.5, text: 'x' },
    { turn: 1, text: null },
    { turn: 1, text: ['x'] },
  ])
    assert.ok(!isCellMessage({ type: 'say', ...wrong }));
  for (const pieces of [undefined, -1, NaN, Infinity, '1']) assert.ok(!isCellMessage({ type: 'sayDropped', pieces }));
});

test('a turn takes its own pieces, until its bytes are used up or it is over', async () => {
  const taken: string[] = [];
  const turn = new RunningInput(7, input, (text) => void taken.push(text), { workerSayBytes: 10, workerSayPieces: 5 });
  assert.equal(turn.said(6, 'of another', plain), false);
  assert.equal(turn.said(7, 'äöü', plain), true);
  assert.equal(turn.said(7, 'äöü', plain), false);
  assert.equal(turn.said(7, 'four', plain), true);
  assert.equal(turn.end({ kind: 'done' }), true);
  assert.equal(turn.said(7, '', plain), false);
  assert.equal(turn.end({ kind: 'cancelled' }), false);
  assert.deepEqual(await turn.ended, { kind: 'done' });
  assert.deepEqual(taken, ['äöü', 'four']);
});

test('a turn takes no more pieces than a cell of ours would send', () => {
  let taken = 0;
  const turn = new RunningInput(1, input, () => void (taken += 1), {
    workerSayBytes: 1024 * 1024,
    workerSayPieces: 50,
  });
  for (let n = 0; n < 1000; n += 1) turn.said(1, 'x', plain);
  assert.equal(taken, 50 + 128 + 1);
});
