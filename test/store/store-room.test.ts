// How often the store is measured near its bound: each time empties the journal into the engine.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CommitMessage, StoreFault } from '../../protocol/store/messages.ts';
import type { StoreEngine } from '../../workers/store/engine.ts';
import { StoreRoom } from '../../workers/store/store-room.ts';

const bound = 1_000_000;

function measured(usedBytes: number): { room: StoreRoom; engine: StoreEngine; used: { bytes: number; times: number } } {
  const used = { bytes: usedBytes, times: 0 };
  const usage = (): ReturnType<StoreEngine['usage']> => {
    used.times += 1;
    return { tables: [{ table: 't', entries: 1, bytes: used.bytes }], fileBytes: used.bytes };
  };
  return { room: new StoreRoom(bound, 'limits.storeBytes'), engine: { usage } as StoreEngine, used };
}

const commit = (bytes: number, removes = false): CommitMessage => ({ id: 1, bytes, removes, changes: [] as never });

test('near its bound a store is measured again and again, but not for each commit, and never holds more', () => {
  const { room, engine, used } = measured(0.8 * bound);
  const faults: StoreFault[] = [];
  let commits = 0;
  while (faults.length === 0) {
    const fitting = room.fitting(engine, [commit(100)], (_, fault) => faults.push(fault));
    if (fitting.length === 0) break;
    used.bytes += 100;
    room.took(100);
    commits += 1;
  }
  assert.ok(used.bytes <= bound && used.bytes > 0.999 * bound, String(used.bytes));
  assert.ok(used.times < commits / 10, `measured ${String(used.times)} times for ${String(commits)} commits`);
  assert.equal(faults[0]?.reason, 'full');
  assert.equal(room.fitting(engine, [commit(100, true)], () => undefined).length, 1);
});

test('a store that was emptied takes commits again at once', () => {
  const { room, engine, used } = measured(bound);
  assert.equal(room.fitting(engine, [commit(100)], () => undefined).length, 0);
  used.bytes = 0.5 * bound;
  assert.equal(room.fitting(engine, [commit(100)], () => undefined).length, 1);
});
