// What the guardian finds out when a thread has taken the daemon down: by whose doing, with what in memory, and what
// follows.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Client } from '../../protocol/client/client.ts';
import {
  deathCodes,
  deathLab,
  fatalCodes,
  handledIn,
  quickDeath,
  writeCounter,
  writeKiller,
} from '../labs/death-lab.ts';
import { until } from '../labs/until.ts';

const killer = 'test.killer';
const other = 'test.other';
const counter = 'test.counter';

/** Nobody is there to be answered when the daemon has died. */
const forgotten = (promise: Promise<unknown>): void => void promise.catch(() => undefined);

const kill =
  (code: string, plugin = killer) =>
  (client: Client): void =>
    forgotten(client.call('ingress.publish', { plugin, event: { ingress: 'work', kind: 'do', payload: { code } } }));
const forEver = 'await new Promise(() => {});';

async function hang(client: Client, plugin: string): Promise<void> {
  await client.call('ingress.publish', { plugin, event: { ingress: 'work', kind: 'do', payload: { code: forEver } } });
  await until('it hangs', async () => (await client.call('service.status', { plugin })).inFlight !== null);
}

for (const name of fatalCodes) {
  test(`${name} takes the daemon down once: it comes back, names the plugin, and runs it as a process`, async (t) => {
    const lab = await deathLab(t, (folder) => {
      writeKiller(join(folder, 'killer'), killer);
      writeCounter(join(folder, 'counter'), counter);
    });
    const { death } = await lab.die(kill(deathCodes[name]));
    assert.ok(['SIGABRT', 'SIGTRAP', 'SIGILL', 'SIGSEGV'].includes(death.signal ?? ''), JSON.stringify(death));
    assert.deepEqual([death.culprit, death.suspects], [killer, []]);
    const client = await lab.client();
    await until(
      'the service is back',
      async () => (await client.call('service.status', { plugin: killer })).lifecycle === 'running',
    );
    assert.equal((await client.call('service.status', { plugin: killer })).isolation, 'process');
    assert.equal((await client.call('service.status', { plugin: counter })).isolation, 'thread');
    const { entries } = await client.call('timeline.read', { plugin: killer });
    assert.match(
      entries.find(({ event }) => event === 'escalated')?.message ?? '',
      new RegExp(`^escalated: the daemon died of ${death.signal ?? ''}`),
    );
    // In a process it takes nobody along.
    const { pid } = await lab.status();
    forgotten(
      client.call('ingress.publish', {
        plugin: killer,
        event: { ingress: 'work', kind: 'do', payload: { code: deathCodes[name] } },
      }),
    );
    await until(
      'its process has crashed',
      async () => (await client.call('service.status', { plugin: killer })).counters.crashed > 0,
    );
    assert.equal((await lab.status()).pid, pid);
    assert.match(
      (await lab.daemon.nagaya(['status'])).stdout,
      /guardian +pid \d+; the daemon died 1 time, last at .*, by test\.killer/,
    );
    assert.match((await lab.daemon.nagaya(['doctor'])).stdout, /the daemon died 1 time.*by test\.killer/);
    // What is loaded again has another chance.
    await until('its attempts are used up', async () => {
      const { counters, lifecycle } = await client.call('service.status', { plugin: killer });
      return counters.deadLettered === 1 && lifecycle === 'running';
    });
    await client.call('plugin.reload', { plugin: killer });
    assert.equal((await client.call('service.status', { plugin: killer })).isolation, 'thread');
  });
}

for (const tool of ['run', 'runAlone']) {
  test(`a tool that takes the daemon down runs as a process afterwards (${tool})`, async (t) => {
    const lab = await deathLab(t, (folder) => writeKiller(join(folder, 'killer'), killer));
    const call = (client: Client): Promise<unknown> =>
      client.call('tool.call', { plugin: killer, tool, input: { code: deathCodes[quickDeath] } });
    const { death } = await lab.die((client) => forgotten(call(client)));
    assert.equal(death.culprit, killer);
    assert.equal(death.lost.calls, 1);
    const client = await lab.client();
    const { pid } = await lab.status();
    await assert.rejects(call(client), { code: 'tool_crashed' });
    assert.equal((await lab.status()).pid, pid);
  });
}

test('a worker that takes the daemon down is named by its plugin, and its input is counted as lost', async (t) => {
  const lab = await deathLab(t, (folder) => writeKiller(join(folder, 'killer'), killer));
  const client = await lab.client();
  const worker = await client.call('worker.create', {
    runtimeId: 'backend-internal',
    intent: 'to die',
    profile: `${killer}:run`,
  });
  const { death } = await lab.die((first) =>
    forgotten(
      first.call('worker.input', {
        runtimeId: worker.runtimeId,
        workerId: worker.workerId,
        content: deathCodes[quickDeath],
      }),
    ),
  );
  assert.equal(death.culprit, killer);
  assert.equal(death.lost.inputs, 1);
});

test('SIGKILL from outside makes nobody a suspect, whoever was executing', async (t) => {
  const lab = await deathLab(t, (folder) => writeKiller(join(folder, 'killer'), killer));
  await hang(await lab.client(), killer);
  const { death } = await lab.die((_, pid) => void process.kill(pid, 'SIGKILL'));
  assert.deepEqual([death.signal, death.culprit, death.suspects], ['SIGKILL', undefined, []]);
  assert.equal((await (await lab.client()).call('service.status', { plugin: killer })).isolation, 'thread');
});

test('where nothing names one of those executing they are suspects, and run as processes after a second death', async (t) => {
  const lab = await deathLab(t, (folder) => {
    writeKiller(join(folder, 'killer'), killer);
    writeKiller(join(folder, 'other'), other);
    writeCounter(join(folder, 'counter'), counter);
  });
  const isolations = async (): Promise<unknown[]> => {
    const client = await lab.client();
    return Promise.all(
      [killer, other, counter].map(async (plugin) => (await client.call('service.status', { plugin })).isolation),
    );
  };
  for (const round of [1, 2]) {
    const client = await lab.client();
    // A service that starts is executing as well.
    await until('all run', async () => (await lab.status()).counts.servicesRunning === 3);
    for (const plugin of [killer, other]) await hang(client, plugin);
    // As a native crash does: nobody writes a last word.
    const { death } = await lab.die((_, pid) => void process.kill(pid, 'SIGSEGV'));
    assert.deepEqual(
      [death.signal, death.culprit, [...death.suspects].sort()],
      ['SIGSEGV', undefined, [killer, other]],
    );
    assert.deepEqual(
      await isolations(),
      round === 1 ? ['thread', 'thread', 'thread'] : ['process', 'process', 'thread'],
    );
  }
});

test('limits.escalate: "never" keeps a culprit in its thread, and its timeline says so', async (t) => {
  const lab = await deathLab(t, (folder) => writeKiller(join(folder, 'killer'), killer, { escalate: 'never' }));
  const { death } = await lab.die(kill(deathCodes.splitHuge));
  assert.equal(death.culprit, killer);
  const client = await lab.client();
  assert.equal((await client.call('service.status', { plugin: killer })).isolation, 'thread');
  const { entries } = await client.call('timeline.read', { plugin: killer });
  assert.match(
    entries.find(({ event }) => event === 'escalated')?.message ?? '',
    /^not escalated, because limits\.escalate is "never"/,
  );
});

test('what was in memory is told to the event: accepted, without an outcome, and how many a cell had', async (t) => {
  const lab = await deathLab(t, (folder) => writeCounter(join(folder, 'counter'), counter, 5));
  let accepted = 0;
  const { death } = await lab.die((client, pid) => {
    const events = Array.from({ length: 500 }, (_, n) => ({ ingress: 'work', kind: 'count', payload: { n } }));
    void client.call('ingress.publish', { plugin: counter, events }).then(async (answer) => {
      accepted = 'results' in answer ? answer.results.filter((result) => result.accepted).length : 0;
      await until('some are handled', () => handledIn(join(lab.folder, 'counter')).length > 20);
      process.kill(pid, 'SIGKILL');
    });
  });
  assert.equal(accepted, 500);
  const handled = handledIn(join(lab.folder, 'counter'));
  const { events, begun } = death.lost;
  assert.deepEqual(
    death.lost.byPlugin.map(({ plugin, events: lost }) => [plugin, lost]),
    [[counter, events]],
  );
  assert.ok(begun > 0, JSON.stringify(death.lost));
  // What has no outcome in the books is lost; a cell may have handled what it had been given.
  assert.ok(
    accepted - events <= handled.length && handled.length <= accepted - events + begun,
    JSON.stringify({ lost: death.lost, handled: handled.length }),
  );
  assert.ok(handled.every(({ attempt }) => attempt === 1));
  assert.equal(new Set(handled.map(({ n }) => n)).size, handled.length);
  const { entries } = await (await lab.client()).call('timeline.read', { plugin: counter });
  assert.match(
    entries.find(({ event }) => event === 'lost')?.message ?? '',
    new RegExp(`lost from memory: ${String(events)} events`),
  );
});

test('a plugin that was loaded for one run of the daemon is counted as lost, and one that is remembered comes back', async (t) => {
  const lab = await deathLab(t, (folder) => writeKiller(join(folder, 'killer'), killer));
  const elsewhere = join(lab.folder, '..', 'elsewhere');
  writeCounter(elsewhere, counter);
  const remembered = join(lab.folder, '..', 'remembered');
  writeCounter(remembered, 'test.remembered');
  const client = await lab.client();
  await client.call('plugin.load', { path: elsewhere, remember: false });
  await client.call('plugin.load', { path: remembered });
  const { death } = await lab.die((_, pid) => void process.kill(pid, 'SIGKILL'));
  assert.equal(death.lost.plugins, 1);
  const { plugins } = await (await lab.client()).call('plugin.list', {});
  assert.deepEqual(plugins.map(({ id }) => id).toSorted(), [killer, 'test.remembered'].toSorted());
});
