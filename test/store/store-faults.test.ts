// What the store does when something below it fails: it tells callers in bounded time, never answers for what is not on
// disk, and goes on by itself once it can.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { test } from 'node:test';
import { put } from '../../protocol/store/change.ts';
import { orderFault, refusalOf, storeLab, text, untilItWorks } from '../labs/store-lab.ts';
import { until } from '../labs/until.ts';

test('a storekeeper that ends before the commit is a typed outage for all that wait; it comes back and nothing of the commit is there', async (t) => {
  const { store, told, reopened } = await storeLab(t);
  await store.commit([put('q', 'before', 'v')]);
  orderFault('store-before-commit*1');
  const [lost, read] = await Promise.allSettled([store.commit([put('q', 'lost', 'v')]), store.kept.get('q', 'before')]);
  assert.equal(refusalOf(lost).code, 'storage_failed');
  assert.equal(refusalOf(read).code, 'storage_failed');
  await assert.rejects(store.commit([put('q', 'meanwhile', 'v')]), { code: 'storage_failed' });
  assert.equal(store.health().state, 'out');
  await untilItWorks(store);
  assert.equal(await store.kept.get('q', 'lost'), undefined);
  assert.equal(text(await store.kept.get('q', 'before')), 'v');
  assert.equal(reopened(), 1);
  assert.equal(store.health().counters.ends, 1);
  assert.deepEqual(
    told.map((line) => line.split(':')[0]),
    ['error', 'info'],
  );
});

test('a storekeeper that ends after the commit has told nobody: the caller hears of the outage, and finds the commit when it reads again', async (t) => {
  const { store } = await storeLab(t);
  await store.commit([put('q', 'before', 'v')]);
  orderFault('store-after-commit*1');
  await assert.rejects(store.commit([put('q', 'unknown', 'v')]), { code: 'storage_failed' });
  await untilItWorks(store);
  assert.equal(text(await store.kept.get('q', 'unknown')), 'v');
});

test('after a sync that failed, the files are opened again before anything else is answered', async (t) => {
  const { store, reopened } = await storeLab(t);
  await store.commit([put('q', 'before', 'v')]);
  orderFault('store-sync*1');
  await assert.rejects(store.commit([put('q', 'lost', 'v')]), { code: 'storage_failed' });
  await store.commit([put('q', 'after', 'v')]);
  assert.equal(reopened(), 1);
  assert.equal(await store.kept.get('q', 'lost'), undefined);
  assert.equal(text(await store.kept.get('q', 'before')), 'v');
  assert.equal(store.health().counters.ends, 0);
  assert.equal(store.health().repairs[0]?.kind, 'reopened');
});

test('a full disk refuses with storage_full, and the next commit after it works', async (t) => {
  const { store, reopened } = await storeLab(t);
  await store.commit([put('q', 'before', 'v')]);
  orderFault('store-full*1');
  await assert.rejects(store.commit([put('q', 'lost', 'v')]), {
    code: 'storage_full',
    details: { reason: 'disk_full' },
  });
  await store.commit([put('q', 'after', 'v')]);
  assert.equal(await store.kept.get('q', 'lost'), undefined);
  assert.equal(reopened(), 0);
});

test('a disk that does not answer is an outage at the deadline, and its late answer ends the outage', async (t) => {
  const { store, reopened } = await storeLab(t, { limits: { storeMs: 1500 } });
  await store.commit([put('q', 'before', 'v')]);
  orderFault('store-hang*1');
  const began = performance.now();
  await assert.rejects(store.commit([put('q', 'late', 'v')]), { code: 'storage_failed' });
  const tookMs = performance.now() - began;
  assert.ok(tookMs >= 1490 && tookMs < 2900, `it took ${String(tookMs)} ms`);
  assert.equal(store.health().state, 'stalled');
  await assert.rejects(store.commit([put('q', 'meanwhile', 'v')]), { code: 'storage_failed' });
  await until('the late answer is here', () => store.health().state === 'open', 20_000);
  assert.equal(reopened(), 1);
  assert.equal(text(await store.kept.get('q', 'late')), 'v');
  assert.equal(await store.kept.get('q', 'meanwhile'), undefined);
});

test('a folder that is deleted while the store is open is found before anything more is answered as kept', async (t) => {
  const { store, reopened, told } = await storeLab(t);
  await store.commit([put('q', 'before', 'v')]);
  rmSync(store.folder, { recursive: true });
  await assert.rejects(store.commit([put('q', 'lost', 'v')]), { code: 'storage_failed' });
  await untilItWorks(store);
  assert.equal(reopened(), 1);
  assert.equal(await store.kept.get('q', 'before'), undefined);
  await store.commit([put('q', 'after', 'v')]);
  await store.close(10_000);
  const next = await storeLab(t, { stateFolder: store.folder.replace(/\/store$/, '') });
  assert.equal(text(await next.store.kept.get('q', 'after')), 'v');
  assert.match(told.join('\n'), /removed or replaced/);
});
