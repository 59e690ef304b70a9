// A durable service whose commits fail, end to end: what an event wrote to `ctx.state` and its end are in the store
// together or not at all, the event comes again from what was committed, and the service goes on by itself.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failpointsVariable, testVariable } from '../../daemon/files/failpoints.ts';
import { counter, counterPlugin, stateDaemon } from '../labs/state-plugin.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { until } from '../labs/until.ts';

const failing = (order: string): Record<string, string> => ({ [failpointsVariable]: order, [testVariable]: 'yes' });

/** More than the supervisor allows within its period: an outage of the store is no fault of the service's. */
const service = { restart: { policy: 'on-failure', intensity: 2, periodMs: 60_000, backoffMs: [0, 10] } };

for (const failpoint of ['store-full', 'store-sync', 'store-before-commit', 'store-after-commit']) {
  test(`${failpoint}: each event counts once in ctx.state, whatever became of its commit`, async (t) => {
    const folder = await temporaryFolder(t);
    const plugin = counterPlugin(t, { service });
    // The first commits are those of the start and of the first event; then six in a row fail.
    const first = await stateDaemon(t, plugin.folder, { folder, env: failing(`${failpoint}@4*6`) });
    const { client } = first;
    let accepted = 0;
    await until(
      'enough was accepted, some of it after the store had failed',
      async () => {
        const answer = await client.call('ingress.publish', {
          plugin: counter,
          events: [1, 2, 3].map(() => ({ ingress: 'in', kind: 'do', payload: { do: 'add' } })),
        });
        assert.ok('results' in answer);
        accepted += answer.results.filter((result) => result.accepted).length;
        const refused = answer.results.flatMap((result) => (result.accepted ? [] : [result.error.code]));
        for (const code of refused) assert.match(code, /^storage_/);
        return accepted >= 30;
      },
      60_000,
    );
    await until(
      'all are handled',
      async () => {
        const { counters, queue, inFlight } = await client.call('service.status', { plugin: counter });
        return counters.enqueued >= accepted && queue.depth === 0 && queue.onDisk === 0 && inFlight === null;
      },
      60_000,
    );
    const { counters, lifecycle } = await client.call('service.status', { plugin: counter });
    assert.deepEqual([counters.handled, counters.deadLettered, lifecycle], [counters.enqueued, 0, 'running']);
    assert.deepEqual(await first.state(), { count: counters.handled });
    first.daemon.signal('SIGKILL');
    await first.daemon.ended;
    const second = await stateDaemon(t, plugin.folder, { folder });
    assert.deepEqual(await second.state(), { count: counters.handled });
    assert.equal(await second.deliver({ do: 'add' }), counters.handled + 1);
  });
}

for (const when of ['store-before-commit', 'store-after-commit'])
  test(`a daemon that is killed at ${when}: what was accepted is handled, and ctx.state counts what is committed`, async (t) => {
    const folder = await temporaryFolder(t);
    const plugin = counterPlugin(t, { service });
    let accepted = 0;
    for (const commits of [4, 5, 6, 8]) {
      try {
        // It may end before it is ready: what the one before left is worked off at once.
        const dying = await stateDaemon(t, plugin.folder, {
          folder,
          env: failing(`${when}=kill@${String(commits)}*1`),
        });
        for (;;) {
          await dying.publish({ do: 'add' }, { do: 'addThrow' }, { do: 'add' });
          accepted += 2;
        }
      } catch {
        // Killed: nobody knows of the last ones.
      }
    }
    const { client, state } = await stateDaemon(t, plugin.folder, { folder });
    await until(
      'all are worked off',
      async () => {
        const { queue, inFlight } = await client.call('service.status', { plugin: counter });
        return queue.depth === 0 && queue.onDisk === 0 && inFlight === null;
      },
      60_000,
    );
    const { counters } = await client.call('service.status', { plugin: counter });
    assert.ok(counters.handled >= accepted, `${String(counters.handled)} of ${String(accepted)} were handled`);
    assert.equal(counters.enqueued, counters.handled + counters.deadLettered);
    assert.deepEqual(await state(), { count: counters.handled });
  });

test('what deliver answers is committed: where the commit fails the event comes again and its caller hears of the end that counts', async (t) => {
  const { deliver, state, client } = await stateDaemon(t, counterPlugin(t, { service }).folder, {
    env: failing('store-full@4*3'),
  });
  for (let n = 1; n <= 10; n += 1) assert.equal(await deliver({ do: 'add' }), n);
  assert.deepEqual(await state(), { count: 10 });
  const { counters } = await client.call('service.status', { plugin: counter });
  assert.ok(counters.restarts > 0, 'no commit failed');
});
