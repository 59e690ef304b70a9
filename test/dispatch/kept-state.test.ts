// What ctx.state holds, on the host: written key by key, read again where nobody knows what a commit left, and never
// written whole.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeptState } from '../../daemon/dispatch/kept-state.ts';
import type { Store } from '../../daemon/store/store.ts';
import { realClock } from '../../daemon/time/real-clock.ts';
import { type Change, put, remove } from '../../protocol/store/change.ts';
import { HostError } from '../../protocol/errors.ts';
import { MemoryStore } from '../labs/memory-store.ts';

function trial(store = new MemoryStore()) {
  const told: string[] = [];
  const state = new KeptState({
    // What of it is used here is there.
    store: store as unknown as Store,
    clock: realClock,
    table: 'state',
    owner: ['a'],
    onTrouble: (message) => void told.push(message),
  });
  const onDisk = (): Record<string, string> => Object.fromEntries(store.tables.get('state') ?? []);
  return { state, store, told, onDisk };
}

const set = (key: string, json: string): Change => put('state', `a/${key}`, json);
const unset = (key: string): Change => remove('state', `a/${key}`);

/** What was put off to the end of the turn, and what follows from it, has run. */
const turn = async (): Promise<void> => {
  for (let count = 0; count < 5; count += 1) await new Promise((resolve) => setImmediate(resolve));
};

test('changes of one turn are one commit, with the last value of each key', async () => {
  const { state, store } = trial();
  await state.open();
  state.write(['a', '1', 'b', '1']);
  state.write(['a', '2', 'b', null]);
  await turn();
  assert.deepEqual(store.commits, [[set('a', '2'), unset('b')]]);
  assert.equal(state.bytes, 2);
});

test('what is staged counts when it is committed, is forgotten when it is dropped, and is not written by itself', async () => {
  const { state, store, onDisk } = trial();
  await state.open();
  const first = state.stage(['count', '1']);
  assert.deepEqual(first.changes, [set('count', '1')]);
  assert.equal(state.text(), '{}');
  first.commit();
  assert.equal(state.text(), '{"count":1}');
  const second = state.stage(['count', '2']);
  second.drop();
  second.commit();
  await turn();
  assert.equal(state.text(), '{"count":1}');
  assert.deepEqual([store.commits, onDisk()], [[], {}]);
});

test('what is owed to the store goes with what is staged, and is owed still where that is dropped', async () => {
  const { state, store } = trial();
  await state.open();
  state.write(['other', '1']);
  const staged = state.stage(['count', '1']);
  assert.deepEqual(staged.changes, [set('count', '1'), set('other', '1')]);
  await turn();
  assert.deepEqual(store.commits, [], 'nothing is written beside it');
  staged.drop();
  await turn();
  assert.deepEqual(store.commits, [[set('other', '1')]]);
});

test('a value that was changed again while it was being stored is stored again', async () => {
  const { state, onDisk } = trial();
  await state.open();
  state.write(['a', '1']);
  const staged = state.stage(['b', '1']);
  state.write(['a', '2']);
  staged.commit();
  await turn();
  assert.equal(onDisk()['a/a'], '2');
});

test('after a commit that failed only its keys are written again, whether it took effect or not', async () => {
  for (const fate of ['failed before', 'failed after', 'full'] as const) {
    const { state, store, told, onDisk } = trial();
    await state.open();
    state.write(['kept', '1']);
    await turn();
    store.fate = () => fate;
    state.write(['a', '1', 'b', null]);
    await turn();
    assert.equal(told.length, 1);
    store.fate = () => 'done';
    store.reopen();
    await turn();
    assert.deepEqual(onDisk(), { 'a/kept': '1', 'a/a': '1' });
    for (const changes of store.commits.slice(1))
      assert.ok(
        changes.every((change) => 'key' in change && change.key !== 'a/kept'),
        'what was stored was written again',
      );
  }
});

for (const [fate, count] of [
  ['failed before', 1],
  ['failed after', 2],
] as const)
  test(`what a start committed and nobody knows of (${fate}) is what the store holds, when the next one asks`, async () => {
    const { state, store, onDisk } = trial();
    await state.open();
    await state.commit(['count', '1']);
    store.fate = () => fate;
    await assert.rejects(state.commit(['count', '2']), HostError);
    assert.equal(state.text(), '{"count":1}');
    store.unreadable = true;
    await assert.rejects(state.snapshot(), HostError, 'before it is known, nobody starts on it');
    store.unreadable = false;
    store.fate = () => 'done';
    assert.equal(await state.snapshot(), `{"count":${String(count)}}`);
    assert.deepEqual(onDisk(), { 'a/count': String(count) });
  });

test('a store that lost what it was given is given what differs, and nothing else', async () => {
  const { state, store, onDisk } = trial();
  await state.open();
  state.write(['a', '1', 'b', '2', 'c', '3']);
  await turn();
  store.tables.set(
    'state',
    new Map([
      ['a/a', '1'],
      ['a/b', '9'],
      ['a/gone', '0'],
    ]),
  );
  store.reopen();
  await turn();
  assert.deepEqual(onDisk(), { 'a/a': '1', 'a/b': '2', 'a/c': '3' });
  assert.deepEqual(store.commits.at(-1), [set('b', '2'), unset('gone'), set('c', '3')]);
});

test('what is committed with an event while the store is read again is not undone by what was read', async () => {
  const { state, store, onDisk } = trial();
  await state.open();
  state.write(['count', '1']);
  await turn();
  const staged = state.stage(['count', '2']);
  store.reopen();
  await store.commit(staged.changes);
  await turn();
  staged.commit();
  await turn();
  assert.equal(state.text(), '{"count":2}');
  assert.deepEqual(onDisk(), { 'a/count': '2' });
});
