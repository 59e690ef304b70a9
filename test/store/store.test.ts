// The store as the host uses it: changes go in as transactions, come back by key and by range, and are there after a
// restart.
import assert from 'node:assert/strict';
import { copyFileSync, cpSync, existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { keysUnder, numberInKey, put, remove, removeRange, storeKey } from '../../protocol/store/change.ts';
import { refusalOf, storeLab, text } from '../labs/store-lab.ts';

test('what was committed is read back, by the next store as well, and is readable for its owner alone', async (t) => {
  const first = await storeLab(t);
  await first.store.commit([
    put('letters', storeKey('example.a', 1), '{"é":1}'),
    put('letters', storeKey('example.a', 2), Buffer.from([0, 255, 7])),
  ]);
  assert.equal(text(await first.store.kept.get('letters', 'example.a/00000000001')), '{"é":1}');
  assert.equal(await first.store.close(10_000), true);
  const second = await storeLab(t, { stateFolder: first.stateFolder });
  assert.deepEqual([...((await second.store.kept.get('letters', storeKey('example.a', 2))) ?? [])], [0, 255, 7]);
  assert.equal(await second.store.kept.get('letters', storeKey('example.a', 3)), undefined);
  assert.equal(statSync(second.store.folder).mode & 0o777, 0o700);
  assert.equal(statSync(join(second.store.folder, 'kept.mdb')).mode & 0o777, 0o600);
  assert.deepEqual([...first.told, ...second.told], []);
  assert.equal(second.reopened(), 0);
});

test('a store that holds nothing has no thread and no file, whatever is read from it', async (t) => {
  const { store, stateFolder } = await storeLab(t);
  await store.open();
  assert.equal(await store.kept.get('letters', 'k'), undefined);
  assert.deepEqual((await store.kept.range({ table: 'letters', from: 'a', to: 'z', limit: 10 })).entries, []);
  assert.equal(await store.kept.count('letters', { from: 'a', to: 'z' }), 0);
  assert.equal(await store.kept.backup(`${stateFolder}-copy`), undefined);
  assert.equal(store.health().state, 'unused');
  assert.equal(store.leftover, 0);
  assert.equal(existsSync(store.folder), false);
});

test('keys are ordered by their parts, numbers by their size, and ranges are paged by number and by bytes', async (t) => {
  const { store } = await storeLab(t);
  const numbers = [0, 9, 10, 35, 36, 1000, Number.MAX_SAFE_INTEGER];
  await store.commit([
    ...numbers.map((n) => put('q', storeKey('a.b', n), `value ${String(n)}`)),
    put('q', storeKey('a', 5), 'x'),
    put('q', storeKey('a.c', 5), 'x'),
  ]);
  const page = await store.kept.range({ table: 'q', ...keysUnder('a.b'), limit: 100 });
  assert.deepEqual(
    page.entries.map(({ key }) => numberInKey(key, 1)),
    numbers,
  );
  assert.equal(page.more, false);
  const backwards = await store.kept.range({ table: 'q', ...keysUnder('a.b'), limit: 2, reverse: true });
  assert.deepEqual(
    [backwards.entries.map(({ value }) => text(value)), backwards.more],
    [['value 9007199254740991', 'value 1000'], true],
  );
  assert.equal(
    (await store.kept.range({ table: 'q', ...keysUnder('a.b'), limit: 100, maxBytes: 1 })).entries.length,
    1,
  );
  const paged: string[] = [];
  for await (const { entries } of store.kept.pages({ table: 'q', ...keysUnder('a.b'), limit: 3 }))
    paged.push(...entries.map(({ key }) => key));
  assert.deepEqual(
    paged,
    page.entries.map(({ key }) => key),
  );
  const reversed: string[] = [];
  for await (const { entries } of store.kept.pages({ table: 'q', ...keysUnder('a.b'), limit: 3, reverse: true }))
    reversed.push(...entries.map(({ key }) => key));
  assert.deepEqual(reversed, paged.toReversed());
  assert.equal(await store.kept.count('q', keysUnder('a.b')), numbers.length);
});

test('the changes of a commit are applied in their order, and all of them', async (t) => {
  const { store } = await storeLab(t);
  await store.commit([put('q', 'a/1', '1'), put('q', 'a/2', '2'), put('q', 'b', 'b')]);
  await store.commit([
    put('q', 'a/3', '3'),
    removeRange('q', keysUnder('a')),
    put('q', 'a/4', '4'),
    remove('q', 'b'),
    remove('q', 'never there'),
  ]);
  const { entries } = await store.kept.range({ table: 'q', from: 'a', to: 'z', limit: 10 });
  assert.deepEqual(
    entries.map(({ key, value }) => [key, text(value)]),
    [['a/4', '4']],
  );
});

test('commits of one turn go into few transactions, and a read sees every commit that was handed over before it', async (t) => {
  const { store } = await storeLab(t);
  const commits = Array.from({ length: 1000 }, (_, n) => store.commit([put('q', storeKey(n), String(n))]));
  const seen = store.kept.count('q', { from: '', to: 'z' });
  await Promise.all(commits);
  assert.equal(await seen, 1000);
  assert.deepEqual(store.health().counters, { commits: 1000, failedCommits: 0, lostNotes: 0, ends: 0 });
  assert.deepEqual(store.health().pending, { commits: 0, bytes: 0 });
});

test('a commit beyond storeBytes fails alone, one that removes still works, and after it there is room again', async (t) => {
  const { store, told } = await storeLab(t, { limits: { storeBytes: 1024 * 1024 } });
  const value = 'x'.repeat(100_000);
  const outcomes = await Promise.allSettled(
    Array.from({ length: 20 }, (_, n) => store.commit([put('q', storeKey(n), value)])),
  );
  const stored = outcomes.filter(({ status }) => status === 'fulfilled').length;
  assert.ok(stored >= 3 && stored < 11, `${String(stored)} of 20 were stored`);
  const refused = refusalOf(outcomes.find(({ status }) => status === 'rejected'));
  assert.deepEqual([refused.code, refused.retryable], ['storage_full', true]);
  assert.deepEqual(refused.details, { reason: 'limit', limit: 'limits.storeBytes', maximum: 1024 * 1024 });
  assert.equal(await store.kept.count('q', { from: '', to: 'z' }), stored);
  assert.equal(store.health().fault?.reason, 'full');
  await store.commit([removeRange('q', { from: '', to: 'z' })]);
  await store.commit([put('q', 'again', value)]);
  assert.equal(store.health().fault, null);
  assert.equal(told.length, 2);
});

test('what no table can hold is refused with the bound, and takes nothing else along', async (t) => {
  const { store } = await storeLab(t);
  const [long, empty, good] = await Promise.allSettled([
    store.commit([put('q', 'k'.repeat(1025), 'v')]),
    store.commit([put('q', '', 'v')]),
    store.commit([put('q', 'k'.repeat(1024), 'v')]),
  ]);
  assert.equal(good.status, 'fulfilled');
  assert.equal(refusalOf(long).code, 'payload_too_large');
  assert.equal(refusalOf(empty).code, 'payload_too_large');
  await assert.rejects(store.commit([put('No Table', 'k', 'v')]), TypeError);
});

test('what waits for the disk is bounded by number and by bytes, and beyond it the caller is told at once', async (t) => {
  const { store } = await storeLab(t, { limits: { storePendingCommits: 10, storePendingBytes: 1024 * 1024 } });
  const many = await Promise.allSettled(Array.from({ length: 15 }, (_, n) => store.commit([put('q', String(n), 'v')])));
  assert.equal(many.filter(({ status }) => status === 'fulfilled').length, 10);
  assert.equal(refusalOf(many[14]).details['limit'], 'limits.storePendingCommits');
  const large = await Promise.allSettled(
    Array.from({ length: 3 }, (_, n) => store.commit([put('q', String(n), 'v'.repeat(600_000))])),
  );
  assert.deepEqual(
    large.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected'],
  );
  // One that is larger than the bound by itself goes through when nothing else waits.
  await store.commit([put('q', 'one', 'v'.repeat(2 * 1024 * 1024))]);
});

test('notes are read back from their own half, and by the next store', async (t) => {
  const first = await storeLab(t);
  assert.equal(await first.store.note([put('marks', 'a', '17')]), true);
  assert.equal(text(await first.store.notes.get('marks', 'a')), '17');
  assert.equal(await first.store.kept.get('marks', 'a'), undefined);
  await first.store.close(10_000);
  const second = await storeLab(t, { stateFolder: first.stateFolder });
  assert.equal(text(await second.store.notes.get('marks', 'a')), '17');
});

test('a commit that is handed over before the store closes is written, and one after it is refused', async (t) => {
  const first = await storeLab(t);
  const last = first.store.commit([put('q', 'last', 'v')]);
  const closed = first.store.close(10_000);
  await last;
  assert.equal(await closed, true);
  await assert.rejects(first.store.commit([put('q', 'late', 'v')]), { code: 'storage_failed' });
  assert.equal(first.store.leftover, 0);
  const second = await storeLab(t, { stateFolder: first.stateFolder });
  assert.equal(text(await second.store.kept.get('q', 'last')), 'v');
});

test('usage tells entries and bytes of each table', async (t) => {
  const { store } = await storeLab(t);
  await store.commit([put('letters', 'a', 'x'.repeat(50_000)), put('letters', 'b', '1'), put('plugins', 'c', '1')]);
  const { tables, usedBytes, fileBytes } = await store.kept.usage();
  assert.deepEqual(
    tables.filter(({ table }) => table !== 'about').map(({ half, table, entries }) => [half, table, entries]),
    [
      ['kept', 'letters', 2],
      ['kept', 'plugins', 1],
    ],
  );
  assert.ok((tables.find(({ table }) => table === 'letters')?.bytes ?? 0) > 50_000);
  assert.ok(usedBytes > 50_000 && fileBytes >= usedBytes);
});

test('a backup that is taken while commits go on is a state folder that a store opens', async (t) => {
  const { store, stateFolder } = await storeLab(t);
  await store.commit(Array.from({ length: 2000 }, (_, n) => put('q', storeKey(n), 'x'.repeat(10_000))));
  const backup = `${stateFolder}-backup`;
  const taken = store.kept.backup(backup);
  const meanwhile = Array.from({ length: 50 }, (_, n) => store.commit([put('q', storeKey(100_000 + n), 'later')]));
  await Promise.all(meanwhile);
  assert.ok(((await taken)?.entries ?? 0) >= 2000);
  assert.deepEqual(readdirSync(join(backup, 'store')), ['kept.mdb']);
  // Put over a store that went on, it takes nothing from the journal of that one.
  const restored = `${stateFolder}-restored`;
  cpSync(backup, restored, { recursive: true });
  copyFileSync(join(store.folder, 'kept.journal'), join(restored, 'store', 'kept.journal'));
  const later = { from: storeKey(100_000), to: 'z' };
  const copy = await storeLab(t, { stateFolder: backup });
  const over = await storeLab(t, { stateFolder: restored });
  assert.equal(await over.store.kept.count('q', later), await copy.store.kept.count('q', later));
  assert.equal(await copy.store.kept.count('q', { from: '', to: storeKey(2000) }), 2000);
  assert.equal((await copy.store.kept.verify()).damagedCount, 0);
  await assert.rejects(store.kept.backup(backup), { code: 'invalid_request' });
});
