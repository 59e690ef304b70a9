// What a shared service keeps belongs to the partition of the event: ctx.state and dead letters.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Member, noServer as skip, shortLease, startMember, startNats } from '../labs/nats-lab.ts';
import { plugin, statusOf } from '../labs/placed-plugin.ts';
import { keyed, keys, spread, writeKeeping } from '../labs/shared-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { untilAnswer } from '../labs/until.ts';

test('state and dead letters belong to the partition and move with it', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const plugins = [writeKeeping(folder)];
  const nats = await startNats(t);
  const start = (name: string): Promise<Member> => startMember(t, nats, name, { plugins, config: shortLease });
  const [one, two] = await Promise.all([start('one'), start('two')]);
  await spread([one, two], { one: 4, two: 4 });
  const deliver = ({ client }: Member, key: string) =>
    client.call('ingress.deliver', { plugin, event: keyed(key) }) as Promise<{
      output: { count: number; keys: string[] };
    }>;
  for (const key of keys) {
    await one.client.call('ingress.publish', { plugin, event: keyed(key) });
    await two.client.call('ingress.publish', { plugin, event: keyed(key, { fails: true }) });
  }
  const bare = await startMember(t, nats, 'bare', { config: shortLease });
  const lettersOf = async ({ client }: Member) =>
    (await client.call('deadLetter.list', { plugin })).deadLetters.map(({ id }) => id);
  const before = await untilAnswer(
    'a dead letter of each key',
    () => lettersOf(one),
    ({ length }) => length === keys.length,
  );
  // Any member tells of all, also one that has not loaded the plugin.
  for (const member of [two, bare]) {
    assert.deepEqual(await lettersOf(member), before, member.name);
    for (const id of before)
      assert.equal((await member.client.call('deadLetter.show', { plugin, id })).deadLetter.id, id);
  }
  const [first = '', second = ''] = before;
  const page = await bare.client.call('deadLetter.list', { plugin, limit: 1, after: first });
  assert.deepEqual([page.deadLetters.map(({ id }) => id), page.total], [[second], keys.length]);
  // Each goes to the member with the partition of its key.
  for (const key of keys) {
    const { output } = await deliver(one, key);
    assert.equal(output.count, 2, key);
    assert.ok(output.keys.length < keys.length, 'the keys of other partitions are not in it');
  }
  two.daemon.signal('SIGKILL');
  await two.daemon.ended;
  await spread([one], { one: 8 });
  for (const key of keys) assert.equal((await deliver(one, key)).output.count, 3, key);
  assert.deepEqual(await lettersOf(bare), before);
  const { discarded } = await bare.client.call('deadLetter.discard', { plugin, ids: before.slice(0, 3) });
  assert.equal(discarded, 3);
  await one.client.call('cluster.drain', {});
  await one.client.call('cluster.drain', { undo: true });
  await spread([one], { one: 8 });
  assert.deepEqual(await lettersOf(bare), before.slice(3));
});

test('start(ctx) of a shared service cannot write ctx.state', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const code = `export const service = { start(ctx) { ctx.state.set('a', 1); }, handleIngress() {} };`;
  const plugins = [writeKeeping(folder, code)];
  const nats = await startNats(t);
  const one = await startMember(t, nats, 'one', { plugins });
  await untilAnswer(
    'the fault',
    () => statusOf(one),
    ({ lastError }) => /belongs to the partition of an event/.test(lastError?.message ?? ''),
  );
});
