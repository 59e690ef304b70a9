// The journal before the engine: what was written to it is there after an end at any moment, in the engine or in the
// journal, exactly once and in its order.
import assert from 'node:assert/strict';
import { readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { put, remove } from '../../protocol/store/change.ts';
import { type EngineTables, everyKey } from '../../workers/store/engine.ts';
import { openJournal } from '../../workers/store/journal-file.ts';
import { JournaledEngine, putMarkAtStart, takeJournal } from '../../workers/store/journaled-engine.ts';
import { openStore } from '../../workers/store/open-store.ts';
import { compareKeys } from '../../workers/store/pending-changes.ts';
import { SimulatedDisk, SimulatedEngine } from '../labs/simulated-store.ts';
import { mountSmallDisk } from '../labs/small-disk.ts';
import { storeLab, text } from '../labs/store-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';

const keys = ['a', 'b', 'b/1', 'b/2', 'c', '\u{E001}', '\u{1F600}', 'z'] as const;
const key = fc.constantFrom(...keys);
const change = fc.oneof(
  fc.record({ op: fc.constant('put' as const), key, bytes: fc.integer({ min: 0, max: 300 }) }),
  fc.record({ op: fc.constant('remove' as const), key }),
  fc.record({ op: fc.constant('removeRange' as const), key, to: key }),
);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ does: fc.constant('write' as const), changes: fc.array(change, { maxLength: 6 }) }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constantFrom('read', 'large', 'full', 'end', 'torn end') }) },
);

type Change = typeof change extends fc.Arbitrary<infer One> ? One : never;
type Model = Map<string, string>;
type Does = (tables: EngineTables) => void;

/** So small that it is full from time to time. */
const bytes = 2000;

const inOrder = (left: string, right: string): number => Buffer.compare(Buffer.from(left), Buffer.from(right));

function applied(model: Model, changes: readonly Change[], number: number): [Model, Does] {
  const next = new Map(model);
  const does: ((tables: EngineTables) => void)[] = [];
  for (const one of changes) {
    if (one.op === 'put') {
      const value = `${String(number)} ${'v'.repeat(one.bytes)}`;
      next.set(one.key, value);
      does.push((tables) => tables.put('t', one.key, Buffer.from(value)));
    } else if (one.op === 'remove') {
      next.delete(one.key);
      does.push((tables) => tables.remove('t', one.key));
    } else {
      for (const there of next.keys())
        if (inOrder(there, one.key) >= 0 && inOrder(there, one.to) < 0) next.delete(there);
      does.push((tables) => tables.removeRange('t', one.key, one.to));
    }
  }
  return [next, (tables) => does.forEach((act) => act(tables))];
}

test('whatever ends between two transactions, the next daemon finds each of them, once and in its order', async (t) => {
  const path = join(await temporaryFolder(t), 'journal');
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const disk = new SimulatedDisk();
      const opened = (): { engine: JournaledEngine; inner: SimulatedEngine } => {
        const inner = new SimulatedEngine(disk, 'engine', inOrder);
        const taken = takeJournal(inner, (id) => openJournal(path, id, bytes));
        assert.ok(taken.journal !== undefined);
        assert.equal(taken.lost, undefined);
        inner.transaction((tables) => putMarkAtStart(tables, taken));
        return { engine: new JournaledEngine(inner, taken.journal, taken), inner };
      };
      let { engine, inner } = opened();
      let model: Model = new Map();
      let before: Model | undefined;
      let fileBefore = readFileSync(path);
      const check = (): void => {
        const found = [...engine.range('t', everyKey)].map((entry) => [entry.key, text(entry.value)]);
        assert.deepEqual(
          found,
          [...model].sort(([left], [right]) => inOrder(left, right)),
        );
      };
      for (const [number, one] of steps.entries()) {
        if (one.does === 'write') {
          const [next, does] = applied(model, one.changes, number);
          before = one.changes.length > 0 ? model : undefined;
          fileBefore = readFileSync(path);
          engine.transaction(does);
          model = next;
          continue;
        }
        if (one.does === 'large') {
          const value = 'l'.repeat(bytes);
          engine.transaction((tables) => tables.put('t', 'large', Buffer.from(value)));
          engine.transaction((tables) => tables.remove('t', 'large'));
          engine.transaction((tables) => tables.put('t', 'a', Buffer.from('after large')));
          model = new Map(model).set('a', 'after large');
        } else if (one.does === 'full') {
          inner.step = 'full';
          assert.throws(() => engine.transaction((tables) => tables.put('t', 'a', Buffer.from('refused'))), {
            code: 'ENOSPC',
          });
          inner.step = 'none';
        } else if (one.does === 'read') {
          check();
        } else {
          // Without a close: as a process that is killed.
          const file = readFileSync(path);
          const last = file.findLastIndex((byte, at) => byte !== fileBefore[at]);
          if (one.does === 'torn end' && before !== undefined && last !== -1) {
            file.writeUInt8((file.readUInt8(last) + 1) % 256, last);
            writeFileSync(path, file, { flag: 'r+' });
            model = before;
          }
          ({ engine, inner } = opened());
          check();
        }
        before = undefined;
      }
      engine.close();
      ({ engine, inner } = opened());
      check();
      engine.close();
    }),
    { numRuns: 150 },
  );
});

test('keys are compared as the engine orders them', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 4 }),
      fc.string({ unit: 'binary', maxLength: 4 }),
      (left, right) => {
        assert.equal(Math.sign(compareKeys(left, right)), inOrder(left, right));
      },
    ),
    { numRuns: 2000 },
  );
});

const none = { records: [], behindDamage: 0 };

/** A store of simulated data and a real journal, which a daemon opens and leaves by being killed, or in order. */
async function killedStore(t: TestContext): Promise<{
  readonly journal: string;
  /** Opens the store, writes the keys, a commit each, and returns what was found before and what was told. */
  run(keys: readonly string[], end?: 'killed' | 'in order'): { found: string[]; told: string[] };
}> {
  const folder = join(await temporaryFolder(t), 'store');
  const disk = new SimulatedDisk();
  const run = (keys: readonly string[], end: 'killed' | 'in order' = 'killed') => {
    const { kept, repairs } = openStore({
      folder,
      madeBy: 'test',
      openEngine: (path) => new SimulatedEngine(disk, path),
      openJournal: (path, id) => openJournal(path, id, bytes),
    });
    const found = [...kept.range('t', everyKey)].map((entry) => entry.key);
    for (const key of keys) kept.transaction((tables) => tables.put('t', key, Buffer.from('v'.repeat(100))));
    if (end === 'in order') kept.close();
    return { found, told: repairs.map(({ kind, message }) => `${kind}: ${message}`) };
  };
  return { journal: join(folder, 'kept.journal'), run };
}

test('a journal that is gone after a kill is told, and one that is not needed any more is not missed', async (t) => {
  const { journal, run } = await killedStore(t);
  run(['a', 'b']);
  rmSync(journal);
  const lost = run(['c'], 'in order');
  assert.deepEqual(lost.found, []);
  assert.match(lost.told.join(), /^journal_lost: The newest commits .* missing or cut short after commit 0\.$/);
  rmSync(journal);
  assert.deepEqual(run(['d']), { found: ['c'], told: [] });
  truncateSync(journal, 10);
  const cut = run([]);
  assert.deepEqual(cut.found, ['c']);
  assert.match(cut.told.join(), /missing or cut short after commit 1\.$/);
  assert.deepEqual(run([]).told, []);
});

test('a damaged record of the journal is told with the number of those lost, and nothing behind it comes back', async (t) => {
  const { journal, run } = await killedStore(t);
  run(['a', 'b', 'c', 'd', 'e']);
  const file = readFileSync(journal);
  const third = file.indexOf('c', file.indexOf('b', file.indexOf('a') + 1) + 1);
  file.writeUInt8(file.readUInt8(third) ^ 1, third);
  writeFileSync(journal, file, { flag: 'r+' });
  const { found, told } = run(['f', 'g']);
  assert.deepEqual(found, ['a', 'b']);
  assert.match(told.join(), /^journal_lost: .*damaged behind commit 2, .* 3 later ones are lost\. A copy/);
  assert.deepEqual(run([]), { found: ['a', 'b', 'f', 'g'], told: [] });
});

test('the records of another store are not taken for its own', async (t) => {
  const path = join(await temporaryFolder(t), 'journal');
  const first = openJournal(path, 'first', bytes);
  first?.append(1, Buffer.from('record'));
  first?.close();
  assert.deepEqual(openJournal(path, 'first', bytes)?.read(0).records.map(text), ['record']);
  assert.deepEqual(openJournal(path, 'first', bytes)?.read(1), none);
  assert.deepEqual(openJournal(path, 'second', bytes)?.read(0), none);
});

test('a store whose journal was removed while it runs refuses what it could not keep, and makes a new one', async (t) => {
  const { store, told } = await storeLab(t);
  await store.commit([put('q', 'first', 'v')]);
  const journal = join(store.folder, 'kept.journal');
  assert.equal(statSync(journal).mode & 0o777, 0o600);
  rmSync(journal);
  await assert.rejects(store.commit([put('q', 'second', 'v')]), { code: 'storage_failed' });
  await store.commit([put('q', 'third', 'v')]);
  assert.equal(text(await store.kept.get('q', 'third')), 'v');
  assert.equal(text(await store.kept.get('q', 'first')), 'v');
  assert.equal(statSync(journal).mode & 0o777, 0o600);
  assert.match(told.join('\n'), /removed or replaced/);
});

test('where the disk has no room for a journal, the store does without', async (t) => {
  const mounted = mountSmallDisk(t);
  if (mounted === undefined) return;
  const { folder } = mounted;
  writeFileSync(join(folder, 'more'), Buffer.alloc(30_000_000));
  const stateFolder = join(folder, 'state');
  const { store } = await storeLab(t, { stateFolder });
  await store.commit([put('q', 'a', '1')]);
  assert.equal(statSync(join(store.folder, 'kept.journal'), { throwIfNoEntry: false }), undefined);
  await store.close(10_000);
  rmSync(join(folder, 'more'));
  const next = await storeLab(t, { stateFolder });
  await next.store.commit([put('q', 'b', '2'), remove('q', 'none')]);
  assert.ok(statSync(join(store.folder, 'kept.journal')).size > 0);
  assert.deepEqual([text(await next.store.kept.get('q', 'a')), text(await next.store.kept.get('q', 'b'))], ['1', '2']);
  await next.store.close(10_000);
});
