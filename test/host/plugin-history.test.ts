// Timelines and trails outlive the daemon: written now and then, read when somebody asks, and of no consequence to
// anything else when the store does not work.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { EventRecord } from '../../protocol/operations/telemetry.ts';
import { PluginHistory } from '../../daemon/host/plugin-history.ts';
import type { Service } from '../../daemon/services/service.ts';
import type { Store } from '../../daemon/store/store.ts';
import { realClock } from '../../daemon/time/real-clock.ts';
import { storeLab } from '../labs/store-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';

const limits = { timeline: 10, eventTrail: 4 };
const pluginId = 'test.lab';

const record = (at: number): EventRecord => ({
  eventId: `e-${String(at)}`,
  correlationId: `c-${String(at % 2)}`,
  outcome: 'handled',
  attempt: 1,
  incarnation: 1,
  acceptedAt: '2030-01-01T00:00:00.000Z',
  at: '2030-01-01T00:00:00.000Z',
  sinceAcceptedMs: 1,
  handlerMs: null,
});

/** A service of which only the trail matters here. */
function source(records: EventRecord[]): Parameters<PluginHistory['keep']>[0] {
  const attemptsSince = (made: number) => ({
    made: records.length,
    records: records.slice(made).slice(-limits.eventTrail),
  });
  return {
    service: { attemptsSince } as unknown as Service,
    redact: (json) => json.replaceAll('SECRET', '[redacted]'),
  };
}

const told = (history: PluginHistory, message: string): void =>
  void history.timeline.record({ level: 'warn', event: 'test', message, incarnation: 1, eventId: 'e-0' });

async function lives(t: TestContext): Promise<{ store: Store; next(): Promise<PluginHistory> }> {
  const { store } = await storeLab(t, { stateFolder: join(await temporaryFolder(t), 'state') });
  return { store, next: () => PluginHistory.open({ pluginId, store, clock: realClock, limits }) };
}

test('entries and attempts of earlier daemons are in front of those of this one, bounded and without secrets', async (t) => {
  const { next } = await lives(t);
  const first = await next();
  for (let at = 0; at < 3; at += 1) told(first, `one ${String(at)} SECRET`);
  await first.close(source([record(0), record(1)]), 5000);
  const second = await next();
  told(second, 'two 0');
  assert.deepEqual(
    (await second.page(0, 100)).entries.map(({ sequence, message }) => [sequence, message]),
    [
      [1, 'one 0 [redacted]'],
      [2, 'one 1 [redacted]'],
      [3, 'one 2 [redacted]'],
      [4, 'two 0'],
    ],
  );
  const page = await second.page(1, 2);
  assert.deepEqual(
    [page.entries.map(({ sequence }) => sequence), page.firstSequence, page.nextSequence],
    [[2, 3], 1, 5],
  );
  assert.deepEqual(
    (await second.page(3, 5)).entries.map(({ sequence }) => sequence),
    [4],
  );
  assert.deepEqual(
    (await second.olderEntries('e-0', 2)).map(({ sequence }) => sequence),
    [2, 3],
  );
  assert.deepEqual(
    (await second.olderAttempts(undefined, 10)).map(({ eventId }) => eventId),
    ['e-0', 'e-1'],
  );
  assert.deepEqual(
    (await second.olderAttempts('c-1', 10)).map(({ eventId }) => eventId),
    ['e-1'],
  );

  const attempts = Array.from({ length: 20 }, (_, at) => record(100 + at));
  for (let at = 0; at < 20; at += 1) told(second, `more ${String(at)}`);
  await second.close(source(attempts), 5000);
  const third = await next();
  assert.equal((await third.page(0, 100)).entries.length, 10);
  assert.equal((await third.page(0, 100)).firstSequence, 15);
  assert.deepEqual((await third.olderAttempts(undefined, 10)).map(({ eventId }) => eventId).slice(-4), [
    'e-116',
    'e-117',
    'e-118',
    'e-119',
  ]);
  third.forget();
  const fourth = await next();
  assert.deepEqual(await fourth.page(0, 100), { entries: [], firstSequence: 1, nextSequence: 1 });
});

test('a daemon that stores nothing is not made to by its timelines, until it ends with something worth a look', async (t) => {
  const { store, next } = await lives(t);
  const quiet = await next();
  quiet.timeline.record({ level: 'info', event: 'running', message: 'started', incarnation: 1 });
  quiet.keep(source([]));
  await quiet.close(source([]), 1000);
  assert.equal(store.health().state, 'unused');
  const notable = await next();
  told(notable, 'a fault');
  notable.keep(source([record(0)]));
  assert.equal(store.health().state, 'unused');
  await notable.close(source([record(0)]), 5000);
  assert.deepEqual(
    (await (await next()).page(0, 10)).entries.map(({ message }) => message),
    ['a fault'],
  );
});

test('a store that does not answer, refuses or fails holds nobody up and spoils nothing', async () => {
  const never = new Promise<never>(() => undefined);
  const broken = (notes: Partial<Store['notes']>, note: () => Promise<boolean>): Store =>
    ({ exists: true, note, notes }) as unknown as Store;
  const open = (store: Store): Promise<PluginHistory> =>
    PluginHistory.open({ pluginId, store, clock: realClock, limits });
  let notes = 0;
  const hangs = await open(broken({ range: () => never }, () => Promise.resolve(((notes += 1), true))));
  told(hangs, 'here');
  hangs.keep(source([]));
  await hangs.close(source([]), 1000);
  assert.equal(notes, 0, 'what is there and unknown is not overwritten');
  assert.equal((await hangs.page(0, 10)).entries.length, 1);

  const empty = { entries: [], more: false, damaged: [] };
  let reads = 0;
  const refuses = await open(
    broken(
      { range: () => (((reads += 1), reads > 2) ? Promise.reject(new Error('gone')) : Promise.resolve(empty)) },
      () => Promise.resolve(((notes += 1), false)),
    ),
  );
  told(refuses, 'here');
  for (let turn = 0; turn < 20; turn += 1) {
    refuses.keep(source([]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(notes, 1, 'it is left alone for a while');
  assert.equal((await refuses.page(0, 10)).entries.length, 1);
  assert.deepEqual(await refuses.olderAttempts(undefined, 10), []);
});
