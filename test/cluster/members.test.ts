// Daemons that share a nats-server know each other, go on without it, and find each other again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostError } from '../../protocol/errors.ts';
import { noServer, shortLease, startMember, startNats } from '../labs/nats-lab.ts';
import { untilAnswer } from '../labs/until.ts';

const skip = noServer;

test('members see each other, one that is killed is lost, and one that leaves is gone', { skip }, async (t) => {
  const nats = await startNats(t);
  const [one, two, three] = await Promise.all(
    ['one', 'two', 'three'].map((name) => startMember(t, nats, name, { config: shortLease })),
  );
  assert.ok(one !== undefined && two !== undefined && three !== undefined);
  const status = () => one.client.call('cluster.status', {});
  const seen = await untilAnswer(
    'three members',
    status,
    ({ connected, members }) => connected && members.filter(({ state }) => state === 'active').length === 3,
  );
  assert.deepEqual(Object.keys(seen), ['name', 'member', 'connected', 'members', 'fault']);
  assert.equal(seen.name, 'test');
  assert.equal(seen.member, 'one');
  assert.equal(seen.fault, null);
  assert.deepEqual(
    seen.members.map(({ member, state, services }) => ({ member, state, services })),
    ['one', 'three', 'two'].map((member) => ({ member, state: 'active', services: [] })),
  );
  two.daemon.signal('SIGKILL');
  await untilAnswer(
    'one lost member',
    status,
    ({ members }) =>
      members.every(({ member, state }) => (state === 'lost') === (member === 'two')) && members.length === 3,
  );
  await three.client.call('daemon.shutdown', {});
  await untilAnswer('a member less', status, ({ members }) => !members.some(({ member }) => member === 'three'));
});

test('a member is drained by itself or by another, and told to work again', { skip }, async (t) => {
  const nats = await startNats(t);
  const [one, two] = await Promise.all(['one', 'two'].map((name) => startMember(t, nats, name)));
  assert.ok(one !== undefined && two !== undefined);
  const stateOf = async (name: string) =>
    (await one.client.call('cluster.status', {})).members.find(({ member }) => member === name)?.state;
  await untilAnswer(
    'both',
    () => one.client.call('cluster.status', {}),
    ({ members }) => members.length === 2,
  );
  assert.deepEqual(await one.client.call('cluster.drain', { member: 'two' }), { member: 'two', state: 'draining' });
  await untilAnswer(
    'two draining',
    () => stateOf('two'),
    (state) => state === 'draining',
  );
  assert.deepEqual(await two.client.call('cluster.drain', { undo: true }), { member: 'two', state: 'active' });
  await untilAnswer(
    'two active',
    () => stateOf('two'),
    (state) => state === 'active',
  );
  await assert.rejects(
    () => one.client.call('cluster.drain', { member: 'nobody' }),
    (error: HostError) => error.code === 'member_not_found',
  );
});

test(
  'while the server is away a daemon works, says why it is alone, and joins when it is back',
  { skip },
  async (t) => {
    const nats = await startNats(t);
    await nats.stop();
    const { client } = await startMember(t, nats, 'one', { joins: false });
    const status = () => client.call('cluster.status', {});
    const alone = await untilAnswer(
      'a reason',
      status,
      ({ fault }) => fault !== null && !/not answered yet/.test(fault.message),
    );
    assert.equal(alone.connected, false);
    assert.equal(alone.fault?.code, 'cluster_unavailable');
    assert.equal((await client.call('daemon.ping', {})).pong, true);
    await nats.start();
    await untilAnswer('connected', status, ({ connected }) => connected);
    await nats.stop();
    await untilAnswer('alone again', status, ({ connected }) => !connected);
    await nats.start();
    await untilAnswer('connected again', status, ({ connected, members }) => connected && members.length === 1);
  },
);

test(
  'a daemon that comes back after kill -9 is a member at once, and a namesake is refused by name',
  { skip },
  async (t) => {
    const nats = await startNats(t);
    const config = { limits: { leaseMs: 60_000 } };
    const one = await startMember(t, nats, 'one', { config });
    const connected = (answer: { connected: boolean }): boolean => answer.connected;
    await untilAnswer('connected', () => one.client.call('cluster.status', {}), connected);
    one.daemon.signal('SIGKILL');
    await one.daemon.ended;
    const again = await startMember(t, nats, 'one', { config, folder: one.daemon.folder });
    await untilAnswer('connected again', () => again.client.call('cluster.status', {}), connected);
    const namesake = await startMember(t, nats, 'one', { config, joins: false });
    const refused = await untilAnswer(
      'a refusal',
      () => namesake.client.call('cluster.status', {}),
      ({ fault }) => fault?.code === 'cluster_member_taken',
    );
    assert.equal(refused.connected, false);
    assert.equal((await again.client.call('cluster.status', {})).connected, true);
  },
);

test('a daemon without a cluster says so', { skip }, async (t) => {
  const { startTestDaemon } = await import('../labs/test-daemon.ts');
  const daemon = await startTestDaemon(t);
  const client = await daemon.connect();
  await assert.rejects(
    () => client.call('cluster.status', {}),
    (error: HostError) => error.code === 'unsupported_operation',
  );
});
