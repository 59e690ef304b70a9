// Dead letters of a real daemon: there after a restart and after kill -9, replayed into the service that was corrected,
// discarded for good, and never fatal when their file is not what it should be.
import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { HostError } from '../../protocol/errors.ts';
import { type TestDaemon, startTestDaemon } from '../labs/test-daemon.ts';
import { until } from '../labs/until.ts';

const labFolder = fileURLToPath(new URL('../fixtures/services/lab', import.meta.url));
const overrides = {
  'test.lab': {
    restart: { policy: 'on-failure', intensity: 100, periodMs: 1000, backoffMs: [5, 20] },
    retry: { maxAttempts: 2 },
  },
};

interface Lives {
  readonly state: string;
  start(durability?: 'disk' | 'memory'): Promise<TestDaemon>;
}

/** Daemons that live one after the other on the same state; it goes when the last of them has ended. */
async function lives(t: TestContext): Promise<Lives> {
  const folder = await mkdtemp(join(tmpdir(), 'nagaya-lives-'));
  const state = join(folder, 'state');
  const daemons: TestDaemon[] = [];
  t.after(async () => {
    for (const daemon of daemons) daemon.signal('SIGKILL');
    await Promise.all(daemons.map(({ ended }) => ended));
    await rm(folder, { recursive: true, force: true });
  });
  return {
    state,
    async start(durability = 'disk') {
      const daemon = await startTestDaemon(t, {
        plugins: [labFolder],
        config: { stateFolder: state, store: { durability }, plugins: { overrides } },
      });
      daemons.push(daemon);
      return daemon;
    },
  };
}

const crash = (n: number): object => ({
  ingress: 'work',
  kind: 'do',
  payload: { do: 'exit', code: 3, n },
  correlationId: `crash-${String(n)}`,
});

async function loseEvents(daemon: TestDaemon, count: number): Promise<void> {
  const client = await daemon.connect();
  for (let n = 0; n < count; n += 1) await client.call('ingress.publish', { plugin: 'test.lab', event: crash(n) });
  await until(
    'the events are dead letters',
    async () => (await client.call('deadLetter.list', { plugin: 'test.lab' })).total === count,
    60_000,
  );
}

test('dead letters outlive a restart of the daemon, and kill -9', async (t) => {
  const { state, start } = await lives(t);
  const first = await start();
  await loseEvents(first, 3);
  first.signal('SIGTERM');
  assert.deepEqual(await first.ended, { code: 0, signal: null }, first.log().slice(-3000));
  assert.equal((await stat(join(state, 'store', 'kept.mdb'))).mode & 0o777, 0o600);

  const second = await start();
  const client = await second.connect();
  const { deadLetters, total } = await client.call('deadLetter.list', { plugin: 'test.lab' });
  assert.equal(total, 3);
  assert.deepEqual(
    deadLetters.map(({ correlationId, attempts }) => [correlationId, attempts.length]),
    [
      ['crash-0', 2],
      ['crash-1', 2],
      ['crash-2', 2],
    ],
  );
  assert.deepEqual((await client.call('service.status', { plugin: 'test.lab' })).deadLetters.count, 3);
  const gone = deadLetters[1]?.id ?? '';
  assert.deepEqual(await client.call('deadLetter.discard', { plugin: 'test.lab', ids: [gone] }), { discarded: 1 });
  second.signal('SIGKILL');
  await second.ended;

  const third = await start();
  const last = await third.connect();
  assert.deepEqual(
    (await last.call('deadLetter.list', { plugin: 'test.lab' })).deadLetters.map(({ correlationId }) => correlationId),
    ['crash-0', 'crash-2'],
  );
  await assert.rejects(
    last.call('deadLetter.show', { plugin: 'test.lab', id: gone }),
    (error: HostError) => error.code === 'dead_letter_not_found',
  );
});

test('a letter that is replayed comes with its old correlation id, stays while that event has no outcome, and is replaced if it is lost again', async (t) => {
  const { start } = await lives(t);
  const daemon = await start();
  await loseEvents(daemon, 1);
  const client = await daemon.connect();
  const [lost] = (await client.call('deadLetter.list', { plugin: 'test.lab' })).deadLetters;
  assert.ok(lost);
  // Still poison: it is lost again, and its new letter names the old one.
  const { results } = await client.call('deadLetter.replay', { plugin: 'test.lab', ids: [lost.id] });
  const [replayed] = results;
  assert.ok(replayed?.accepted === true && replayed.eventId !== lost.eventId, 'a replay is another event');
  assert.deepEqual(results, [{ id: lost.id, accepted: true, eventId: replayed.eventId, correlationId: 'crash-0' }]);
  await until(
    'it is a dead letter again',
    async () =>
      (await client.call('deadLetter.list', { plugin: 'test.lab' })).deadLetters.some(
        ({ replayOf }) => replayOf === lost.id,
      ),
    60_000,
  );
  const { deadLetters } = await client.call('deadLetter.list', { plugin: 'test.lab' });
  assert.deepEqual(
    deadLetters.map(({ correlationId, replayOf }) => [correlationId, replayOf]),
    [['crash-0', lost.id]],
  );
  // Its story goes from its first acceptance over the replay to its second end.
  const { entries } = await client.call('event.explain', { plugin: 'test.lab', event: 'crash-0' });
  const events = entries.map(({ event }) => event);
  assert.ok(
    events.indexOf('deadLettered') < events.indexOf('replayed') &&
      events.indexOf('replayed') < events.lastIndexOf('deadLettered'),
    events.join(' '),
  );
  assert.deepEqual(entries.find(({ event }) => event === 'replayed')?.data, { deadLetter: lost.id });
});

test('an id or a cursor that is not there is refused by its name, and nothing is done to the others', async (t) => {
  const { start } = await lives(t);
  const daemon = await start();
  await loseEvents(daemon, 3);
  const client = await daemon.connect();
  const plugin = 'test.lab';
  const { deadLetters } = await client.call('deadLetter.list', { plugin });
  const [first = '', gone = '', last = ''] = deadLetters.map(({ id }) => id);
  assert.deepEqual(
    (await client.call('deadLetter.list', { plugin, after: first })).deadLetters.map(({ id }) => id),
    [gone, last],
  );
  await client.call('deadLetter.discard', { plugin, ids: [gone, gone] });
  for (const attempt of [
    () => client.call('deadLetter.list', { plugin, after: gone }),
    () => client.call('deadLetter.discard', { plugin, ids: [first, gone, last] }),
    () => client.call('deadLetter.replay', { plugin, ids: [first, gone, last] }),
    () => client.call('deadLetter.show', { plugin, id: gone }),
  ]) {
    await assert.rejects(attempt, (error: HostError) => {
      assert.deepEqual([error.code, error.details], ['dead_letter_not_found', { id: gone, ids: [gone] }]);
      return true;
    });
  }
  assert.deepEqual(
    (await client.call('deadLetter.list', { plugin })).deadLetters.map(({ id }) => id),
    [first, last],
  );
  const status = await client.call('service.status', { plugin });
  assert.equal(status.counters.enqueued, 3, 'nothing was published again');
});

test('letters stay with their plugin when it is unloaded and loaded again', async (t) => {
  const { start } = await lives(t);
  const daemon = await start();
  await loseEvents(daemon, 2);
  const client = await daemon.connect();
  await client.call('plugin.unload', { plugin: 'test.lab' });
  await client.call('plugin.load', { path: labFolder });
  assert.equal((await client.call('deadLetter.list', { plugin: 'test.lab' })).total, 2);
});

test('a letter that is replayed is listed as such until the event was handled, and cannot be replayed twice; one may be edited', async (t) => {
  const { start } = await lives(t);
  const daemon = await start();
  await loseEvents(daemon, 1);
  const client = await daemon.connect();
  const plugin = 'test.lab';
  const [lost] = (await client.call('deadLetter.list', { plugin })).deadLetters;
  assert.deepEqual([lost?.reason, lost?.replaying], ['attempts', null]);
  const ids = [lost?.id ?? ''];
  await client.call('service.stop', { plugin });
  assert.equal(
    (await client.call('deadLetter.replay', { plugin, ids })).results[0]?.accepted,
    false,
    'a stopped service takes no events',
  );
  await client.call('service.start', { plugin });
  // Those before it in the queue keep it waiting.
  const slow = Promise.all(
    Array.from({ length: 5 }, () =>
      client.call('ingress.deliver', {
        plugin,
        event: { ingress: 'work', kind: 'do', payload: { do: 'sleep', ms: 200 } },
      }),
    ),
  );
  const [replayed] = (await client.call('deadLetter.replay', { plugin, ids, payload: { do: 'echo', value: 1 } }))
    .results;
  assert.ok(replayed?.accepted);
  const [waiting] = (await client.call('deadLetter.list', { plugin })).deadLetters;
  assert.equal(waiting?.replaying, replayed.eventId);
  const [again] = (await client.call('deadLetter.replay', { plugin, ids })).results;
  assert.ok(again?.accepted === false && again.error.code === 'dead_letter_busy');
  await slow;
  await until('the letter is gone', async () => (await client.call('deadLetter.list', { plugin })).total === 0, 60_000);
  assert.equal((await client.call('service.status', { plugin })).counters.deadLettered, 1);
  await assert.rejects(client.call('deadLetter.replay', { plugin, payload: 1 }), { code: 'invalid_request' });
});

test('a daemon that is killed while a letter is replayed has lost nothing', async (t) => {
  const { start } = await lives(t);
  const first = await start();
  await loseEvents(first, 1);
  const client = await first.connect();
  const plugin = 'test.lab';
  const ids = (await client.call('deadLetter.list', { plugin })).deadLetters.map(({ id }) => id);
  await client.call('deadLetter.replay', { plugin, ids, payload: { do: 'hang' } });
  first.signal('SIGKILL');
  await first.ended;
  const next = await (await start()).connect();
  // It was moved back into the queue, in one transaction: it is there, and no letter any more.
  assert.equal((await next.call('deadLetter.list', { plugin })).total, 0);
  const { counters, queue, inFlight } = await next.call('service.status', { plugin });
  assert.equal(counters.recovered, 1);
  assert.equal(queue.onDisk, 1);
  assert.equal(queue.depth + (inFlight === null ? 0 : 1), 1);
});

test('a daemon that is killed while a letter is replayed into a queue in memory has the letter', async (t) => {
  const { start } = await lives(t);
  const first = await start('memory');
  await loseEvents(first, 1);
  const client = await first.connect();
  const plugin = 'test.lab';
  const ids = (await client.call('deadLetter.list', { plugin })).deadLetters.map(({ id }) => id);
  await client.call('deadLetter.replay', { plugin, ids, payload: { do: 'hang' } });
  first.signal('SIGKILL');
  await first.ended;
  const next = await (await start('memory')).connect();
  assert.deepEqual(
    (await next.call('deadLetter.list', { plugin })).deadLetters.map(({ id, replaying }) => [id, replaying]),
    [[ids[0], null]],
  );
});
