// What a store finds at its start: files that somebody tore, forged, or wrote in another version.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { put, storeKey } from '../../protocol/store/change.ts';
import { type Format, writeFormat } from '../../workers/store/format.ts';
import { LmdbEngine } from '../../workers/store/lmdb-engine.ts';
import { openStore } from '../../workers/store/open-store.ts';
import { seal, unseal } from '../../workers/store/sealed-value.ts';
import { storeLab, text } from '../labs/store-lab.ts';

/** A store with a hundred values, closed. */
async function written(
  t: TestContext,
  valueBytes = 3000,
): Promise<{ readonly stateFolder: string; readonly file: string }> {
  const { store, stateFolder } = await storeLab(t);
  for (let n = 0; n < 100; n += 1) await store.commit([put('q', storeKey(n), `${String(n)} `.padEnd(valueBytes, 'x'))]);
  assert.equal(await store.close(10_000), true);
  return { stateFolder, file: join(store.folder, 'kept.mdb') };
}

for (const [what, damage] of [
  ['cut off in the middle', (file: string) => truncateSync(file, 128 * 1024)],
  ['replaced by text', (file: string) => writeFileSync(file, 'not a store '.repeat(5000))],
  ['overwritten at its beginning', (file: string) => writeFileSync(file, Buffer.alloc(8192), { flag: 'r+' })],
] as const) {
  test(`a store that was ${what} is put aside, loudly, and an empty one takes its place`, async (t) => {
    const { stateFolder, file } = await written(t);
    damage(file);
    const { store, told, reopened } = await storeLab(t, { stateFolder });
    assert.equal(await store.kept.get('q', storeKey(1)), undefined);
    await store.commit([put('q', 'new', 'v')]);
    assert.match(told.join('\n'), /^error: The store is damaged: .* put aside as .*kept\.mdb\.aside-/);
    const asides = readdirSync(store.folder).filter((name) => name.includes('aside'));
    assert.deepEqual(
      asides.map((name) => name.replace(/\.aside-.*/, '')),
      ['kept.journal', 'kept.mdb'],
    );
    assert.equal(reopened(), 1);
  });
}

test('a value that a disk has changed is told as damaged where it is read, and costs only itself', async (t) => {
  const { stateFolder, file } = await written(t);
  const bytes = readFileSync(file);
  for (let at = bytes.indexOf('42 xxxx'); at !== -1; at = bytes.indexOf('42 xxxx', at + 1)) bytes[at + 100] = 0x79;
  writeFileSync(file, bytes);
  const { store } = await storeLab(t, { stateFolder });
  await assert.rejects(store.kept.get('q', storeKey(42)), { code: 'storage_failed', details: { reason: 'damaged' } });
  assert.match(text(await store.kept.get('q', storeKey(41))) ?? '', /^41 x/);
  const { entries, damaged } = await store.kept.range({ table: 'q', from: '', to: 'z', limit: 1000 });
  assert.deepEqual([entries.length, damaged], [99, [storeKey(42)]]);
  const report = await store.kept.verify();
  assert.deepEqual([report.damagedCount, report.damaged], [1, [{ half: 'kept', table: 'q', key: storeKey(42) }]]);
});

test('a store that a daemon was opening when it died is checked in a process of its own, and opened when it is whole', async (t) => {
  const { stateFolder } = await written(t);
  writeFileSync(join(stateFolder, 'store', 'opening'), '1');
  const { store, told } = await storeLab(t, { stateFolder });
  assert.match(text(await store.kept.get('q', storeKey(7))) ?? '', /^7 x/);
  assert.deepEqual(told, []);
  assert.equal(readdirSync(store.folder).includes('opening'), false);
});

test('a store of a newer format is refused, and no byte of it changes', async (t) => {
  const { stateFolder, file } = await written(t);
  setFormat(file, { version: 99, madeBy: '9.9.9', generation: 1 });
  const before = [readFileSync(file).toString('hex'), statSync(file).mtimeMs];
  const { store, told } = await storeLab(t, { stateFolder });
  await assert.rejects(store.open(), {
    code: 'storage_failed',
    details: { reason: 'newer_format', found: 99, supported: 2, madeBy: '9.9.9' },
  });
  assert.equal(store.health().state, 'refused');
  await assert.rejects(store.commit([put('q', 'k', 'v')]), { code: 'storage_failed' });
  assert.deepEqual([readFileSync(file).toString('hex'), statSync(file).mtimeMs], before);
  assert.match(told.join('\n'), /format 99, written by Nagaya 9\.9\.9/);
});

test('a store of an older format is brought to the present one after a copy of it was made', async (t) => {
  const { stateFolder, file } = await written(t);
  const folder = join(stateFolder, 'store');
  const options = {
    folder,
    madeBy: '1.0.0',
    openEngine: (path: string, how: { readonly sync: boolean }) => new LmdbEngine(path, how),
  };
  const upper = (text: string): string => text.toUpperCase();
  const opened = openStore({
    ...options,
    version: 4,
    migrations: new Map([
      [2, (_engine, tables) => tables.put('q', 'step', seal('step', 'one'))],
      [
        3,
        (engine, tables) =>
          tables.put(
            'q',
            'step',
            seal('step', upper(text(unseal('step', engine.get('q', 'step') ?? new Uint8Array())) ?? '')),
          ),
      ],
    ]),
  });
  assert.equal(text(unseal('step', opened.kept.get('q', 'step') ?? new Uint8Array())), 'ONE');
  assert.equal(opened.format, 4);
  assert.deepEqual(
    opened.repairs.map(({ kind }) => kind),
    ['migrated'],
  );
  opened.kept.close();
  opened.notes.close();
  const copy = readdirSync(folder).find((name) => name.startsWith('kept.mdb.format-2-'));
  mkdirSync(join(stateFolder, 'old', 'store'), { recursive: true });
  writeFileSync(join(stateFolder, 'old', 'store', 'kept.mdb'), readFileSync(join(folder, copy ?? '')));
  const old = await storeLab(t, { stateFolder: join(stateFolder, 'old') });
  assert.equal(await old.store.kept.count('q', { from: '', to: 'z' }), 100);
  assert.ok(statSync(file).size > 0);
});

test('notes of an earlier life of the machine are not trusted, those of a clean end are', async (t) => {
  const { store, stateFolder } = await storeLab(t);
  await store.note([put('marks', 'a', '17')]);
  await store.close(10_000);
  const clean = await storeLab(t, { stateFolder });
  assert.equal(text(await clean.store.notes.get('marks', 'a')), '17');
  await clean.store.close(10_000);
  writeFileSync(join(store.folder, 'notes.boot'), 'another boot');
  const other = await storeLab(t, { stateFolder });
  assert.equal(await other.store.notes.get('marks', 'a'), undefined);
  assert.match(other.told.join('\n'), /starts over/);
});

function setFormat(file: string, format: Format): void {
  const engine = new LmdbEngine(file, { sync: true });
  engine.transaction((tables) => writeFormat(tables, format));
  engine.close();
}
