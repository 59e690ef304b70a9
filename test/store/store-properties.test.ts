// Whatever fails between any two steps of the store: what was answered as stored is there whole, what was refused for
// want of room is not there, and what nobody answered for is there whole or not at all.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { put, storeKey } from '../../protocol/store/change.ts';
import { config } from '../../daemon/config/schema.ts';
import { Store } from '../../daemon/store/store.ts';
import { SimulatedDisk, type Step, simulatedKeeper } from '../labs/simulated-store.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { VirtualClock } from '../labs/virtual-clock.ts';

const steps: readonly Step[] = [
  'none',
  'none',
  'begin',
  'between changes',
  'sync',
  'full',
  'died before',
  'died after',
];

/** Each turn hands over so many commits, and the storekeeper meets this step with them. */
const turns = fc.array(
  fc.record({
    commits: fc.integer({ min: 1, max: 5 }),
    step: fc.constantFrom(...steps),
    advanceMs: fc.constantFrom(0, 0, 50, 1000, 60_000),
  }),
  { minLength: 1, maxLength: 25 },
);

type Outcome = 'stored' | 'storage_full' | 'storage_failed';

test('an answer is the truth about the disk, whatever fails between any two steps', async (t) => {
  const folder = await temporaryFolder(t);
  let run = 0;
  await fc.assert(
    fc.asyncProperty(turns, async (plan) => {
      run += 1;
      const clock = new VirtualClock();
      const disk = new SimulatedDisk();
      const queue: (() => void)[] = [];
      const settle = async (): Promise<void> => {
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
          next();
          await Promise.resolve();
        }
      };
      const later = (act: () => void): void => void queue.push(act);
      const store = new Store({
        stateFolder: join(folder, String(run)),
        version: '0.0.0',
        limits: config.parse({}).limits,
        clock,
        spawn: simulatedKeeper(disk, later),
        turnEnd: later,
        tell: () => undefined,
      });
      const outcomes: Outcome[] = [];
      for (const { commits, step, advanceMs } of plan) {
        disk.steps.length = 0;
        disk.steps.push(step);
        for (let n = 0; n < commits; n += 1) {
          const id = outcomes.push('storage_failed') - 1;
          void store
            .commit([put('left', storeKey(id), 'v'), put('right', storeKey(id), 'v'), put('last', 'last', String(id))])
            .then(
              () => (outcomes[id] = 'stored'),
              (error: { code: Outcome }) => (outcomes[id] = error.code),
            );
        }
        await settle();
        clock.advance(advanceMs);
        await settle();
      }
      disk.steps.length = 0;
      clock.advance(60_000);
      await settle();
      // What waits in the journal is brought into the engine before it is read.
      const read = store.kept.count('left', { from: '', to: 'z' });
      await settle();
      await read;
      const tables = disk.files.get(join(store.folder, 'kept.mdb')) ?? new Map<string, Map<string, Uint8Array>>();
      for (const [id, outcome] of outcomes.entries()) {
        const [left, right] = ['left', 'right'].map((table) => tables.get(table)?.has(storeKey(id)) ?? false);
        assert.equal(left, right, `commit ${String(id)} is there by half`);
        if (outcome === 'stored') assert.equal(left, true, `commit ${String(id)} was answered and is gone`);
        if (outcome === 'storage_full') assert.equal(left, false, `commit ${String(id)} was refused and is there`);
      }
      const last = tables.get('last')?.get('last');
      const lastId = last === undefined ? -1 : Number(Buffer.from(last.subarray(0, -4)).toString());
      assert.ok(lastId >= outcomes.lastIndexOf('stored'), 'an older commit came after a newer one');
      // It works again by itself.
      const after = store.commit([put('left', 'after', 'v')]);
      await settle();
      await after;
      assert.deepEqual(store.health().pending, { commits: 0, bytes: 0 });
      const closed = store.close(1000);
      await settle();
      assert.equal(await closed, true);
      assert.equal(clock.pendingTimers, 0);
    }),
    { numRuns: 120 },
  );
});
