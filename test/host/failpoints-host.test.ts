// Cells that will not start, a socket that breaks in the middle of an answer, a clock that jumps and an event loop that
// is late: the daemon goes on, what it accepted has its outcome, and deadlines stay what they are.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connect } from '../../protocol/client/client.ts';
import type { HostError } from '../../protocol/errors.ts';
import { failpointsVariable, testVariable } from '../../daemon/files/failpoints.ts';
import { endsWell, event, failingDaemon, goesOn, lab, loseEvent } from '../labs/failpoint-daemon.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { startTestDaemon } from '../labs/test-daemon.ts';
import { until } from '../labs/until.ts';

test('cells that will not start are tried again by the restart policy, and what was queued meanwhile is handled', async (t) => {
  const failing = await failingDaemon(t, 'cell-will-not-start@1*3');
  const { daemon, client } = failing;
  await client.call('ingress.publish', { plugin: lab, event: event({ do: 'exit', code: 1 }, 'poison') });
  const behind = Array.from({ length: 20 }, (_, n) => event({ do: 'echo', n }));
  await client.call('ingress.publish', { plugin: lab, events: behind });
  await until(
    'all are handled',
    async () => (await client.call('service.status', { plugin: lab })).counters.handled === 20,
    60_000,
  );
  const { entries } = await client.call('timeline.read', { plugin: lab });
  assert.equal(
    entries.filter(({ event: what, message }) => what === 'start_failed' && message.includes('No cell could be made'))
      .length,
    3,
  );
  await daemon.logged(/No cell could be made: EAGAIN/);
  await goesOn(failing);
  await endsWell(failing);
});

test('cells that never start leave a service that was given up, a daemon that answers, and a command that says so', async (t) => {
  const failing = await failingDaemon(t, 'cell-will-not-start@1', {
    restart: { policy: 'on-failure', intensity: 3, periodMs: 60_000, backoffMs: [5, 10] },
  });
  const { client } = failing;
  await client.call('ingress.publish', { plugin: lab, event: event({ do: 'exit', code: 1 }) });
  await until(
    'it is given up',
    async () => (await client.call('service.status', { plugin: lab })).restart?.pending === false,
    60_000,
  );
  await assert.rejects(
    client.call('service.start', { plugin: lab }),
    (error: HostError) => error.code === 'start_failed',
  );
  await until(
    'it is given up again',
    async () => (await client.call('service.status', { plugin: lab })).restart?.pending === false,
    60_000,
  );
  await assert.rejects(
    client.call('ingress.publish', { plugin: lab, event: event({}) }),
    (error: HostError) => error.code === 'service_failed',
  );
  assert.equal((await client.call('daemon.ping', {})).pong, true);
  await endsWell(failing);
});

test('a connection that breaks in the middle of an answer takes nobody along, and what was accepted is handled', async (t) => {
  // The daemon's own look at its commands to try takes the first answers.
  const failing = await failingDaemon(t, 'socket-error@12*1');
  const { daemon } = failing;
  let broken = 0;
  let sent = 0;
  while (broken === 0 && sent < 200) {
    const client = await connect({ socket: daemon.socket, callMs: 10_000 });
    try {
      for (let n = 0; n < 5; n += 1) {
        sent += 1;
        await client.call('ingress.publish', { plugin: lab, event: event({ do: 'echo' }, `sent-${String(sent)}`) });
      }
    } catch (error) {
      assert.equal((error as HostError).code, 'connection_closed');
      broken += 1;
    }
    await client.close();
  }
  assert.equal(broken, 1);
  const client = await daemon.connect();
  await until(
    'all that was sent is handled',
    async () => (await client.call('service.status', { plugin: lab })).counters.handled === sent,
  );
  await goesOn({ daemon, client });
  assert.equal((await client.call('daemon.status', {})).faults, 0);
  await endsWell(failing);
});

for (const jumpMs of [-3_600_000, 3_600_000]) {
  test(`a clock that jumps by ${String(jumpMs / 60_000)} minutes changes no deadline, no order and no id`, async (t) => {
    const failing = await failingDaemon(t, `clock-jump=${String(jumpMs)}@40*1`, { timeouts: { handleMs: 400 } });
    const { client } = failing;
    const ids: string[] = [];
    const before = Date.now();
    let jumped = false;
    for (let n = 0; n < 200 && !jumped; n += 1) {
      const answer = await client.call('ingress.publish', { plugin: lab, event: event({ do: 'echo' }) });
      if ('correlationId' in answer) ids.push(answer.correlationId);
      await until(
        'it is handled',
        async () => (await client.call('service.status', { plugin: lab })).queue.depth === 0,
      );
      const { startedAt, uptimeMs } = await client.call('daemon.status', {});
      jumped = Math.abs(Date.parse(startedAt) + uptimeMs - before) > 1_800_000 || (jumpMs < 0 && uptimeMs === 0);
    }
    assert.ok(jumped, 'the clock never jumped');
    for (let n = 0; n < 20; n += 1) {
      const answer = await client.call('ingress.publish', { plugin: lab, event: event({ do: 'echo' }) });
      if ('correlationId' in answer) ids.push(answer.correlationId);
    }
    assert.equal(new Set(ids).size, ids.length);
    assert.deepEqual(ids.toSorted(), ids, 'ids went back in time');
    assert.equal(
      (await client.call('ingress.deliver', { plugin: lab, event: event({ do: 'sleep', ms: 100 }) })).output,
      'slept',
    );
    const began = performance.now();
    await assert.rejects(
      client.call('ingress.deliver', { plugin: lab, event: event({ do: 'hang' }) }),
      (error: HostError) => error.code === 'dispatch_timeout',
    );
    const tookMs = performance.now() - began;
    assert.ok(tookMs >= 350 && tookMs < 10_000, String(tookMs));
    await goesOn(failing);
    await loseEvent(client, 'after-the-jump');
    await goesOn(failing);
    const { entries } = await client.call('timeline.read', { plugin: lab, limit: 1000 });
    assert.deepEqual(
      entries.map(({ sequence }) => sequence),
      entries.map((_, at) => at + 1),
    );
    await endsWell(failing);
  });
}

test('an event loop that is late again and again ends no innocent event, spares no guilty one, and is shown', async (t) => {
  const failing = await failingDaemon(t, 'slow-loop=150', { timeouts: { handleMs: 500 } });
  const { client } = failing;
  for (let n = 0; n < 5; n += 1)
    assert.equal(
      (await client.call('ingress.deliver', { plugin: lab, event: event({ do: 'busy', ms: 200 }) })).output,
      'busy',
    );
  await assert.rejects(
    client.call('ingress.deliver', { plugin: lab, event: event({ do: 'loop' }) }),
    (error: HostError) => error.code === 'dispatch_timeout',
  );
  await goesOn(failing);
  assert.equal((await client.call('service.status', { plugin: lab })).counters.timedOut, 1);
  assert.ok((await client.call('daemon.status', {})).eventLoopDelayMs.max >= 100);
  await endsWell(failing);
});

test('one variable alone arms nothing and says so', async (t) => {
  const daemon = await startTestDaemon(t, { env: { [failpointsVariable]: 'disk-full,slow-loop=5000' } });
  await daemon.logged(new RegExp(`${failpointsVariable} is set and has no effect`));
  assert.doesNotMatch(daemon.log(), /ARMED/);
  const client = await daemon.connect();
  assert.equal((await client.call('daemon.ping', {})).pong, true);
});

test('an order that is no failpoint keeps the daemon from starting, with the names there are', async (t) => {
  const command = fileURLToPath(new URL('../../dist/daemon/cli/nagaya.js', import.meta.url));
  const folder = await temporaryFolder(t);
  const ran = spawnSync(process.execPath, [command, 'serve', '--socket', join(folder, 's')], {
    encoding: 'utf8',
    timeout: 60_000,
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      NAGAYA_STATE: folder,
      [failpointsVariable]: 'disk-fool',
      [testVariable]: 'yes',
    },
  });
  assert.equal(ran.status, 1);
  assert.match(ran.stderr, /orders "disk-fool", which is no failpoint; there are state-unwritable, disk-full/);
});
