// What ctx.state holds, on the host: written key by key, whole after a fault of the store, and read again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeptState } from '../../daemon/dispatch/kept-state.ts';
import type { Store } from '../../daemon/store/store.ts';
import { realClock } from '../../daemon/time/real-clock.ts';
import type { Change } from '../../protocol/store/change.ts';

/** A store that only remembers what it was given. */
function trial() {
  const commits: (readonly Change[])[] = [];
  let reopened = (): void => {};
  const store = {
    kept: {
      async *pages() {
        yield { entries: [], more: false, damaged: [] };
      },
    },
    commit: (changes: readonly Change[]) => {
      commits.push(changes);
      return Promise.resolve();
    },
    onReopened: (listener: () => void) => {
      reopened = listener;
      return () => {};
    },
    // Nothing else of it is used here.
  } as unknown as Store;
  const state = new KeptState({ store, clock: realClock, table: 'state', owner: ['a'], onTrouble: () => {} });
  return { state, commits, reopen: () => reopened() };
}

/** What was put off to the end of the turn, and what follows from it, has run. */
const turn = async (): Promise<void> => {
  for (let count = 0; count < 5; count += 1) await new Promise((resolve) => setImmediate(resolve));
};

test('what was committed with an event is written again if the whole was written in between', async () => {
  const { state, commits, reopen } = trial();
  await state.open();
  state.committed(['count', '1']);
  await turn();
  assert.deepEqual(commits, [], 'it is in the commit of its event already');
  const staged = state.changesOf(['count', '2']);
  assert.deepEqual(staged, [{ op: 'put', table: 'state', key: 'a/count', value: '2' }]);
  reopen();
  await turn();
  assert.deepEqual(JSON.parse(JSON.stringify(commits[0])), [
    { op: 'removeRange', table: 'state', from: 'a/', to: 'a0' },
    { op: 'put', table: 'state', key: 'a/count', value: '1' },
  ]);
  state.committed(['count', '2']);
  await turn();
  assert.deepEqual(commits.at(-1), [{ op: 'put', table: 'state', key: 'a/count', value: '2' }]);
  assert.equal(state.text(), '{"count":2}');
});

test('changes of one turn are one commit, with the last value of each key', async () => {
  const { state, commits } = trial();
  await state.open();
  state.write(['a', '1', 'b', '1']);
  state.write(['a', '2', 'b', null]);
  await turn();
  assert.deepEqual(commits, [
    [
      { op: 'put', table: 'state', key: 'a/a', value: '2' },
      { op: 'remove', table: 'state', key: 'a/b' },
    ],
  ]);
  assert.equal(state.bytes, 2);
});
