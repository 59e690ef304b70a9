// A service with the placement `shared`: its members share its partitions, and what is published under one key is
// handled in order, wherever its partition goes.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Member, noServer as skip, shortLease, startMember, startNats, until } from '../labs/nats-lab.ts';
import { journalIn, number, plugin, statusOf, writePlacedPlugin } from '../labs/placed-plugin.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { writePlugin } from '../labs/written-plugin.ts';

const keys = ['k0', 'k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7', 'k8', 'k9', 'ka', 'kb'];

/** Which partitions each member has, as one of them sees it. */
const spreadOf = async ({ client }: Member): Promise<Record<string, number>> => {
  const { members } = await client.call('cluster.status', {});
  return Object.fromEntries(
    members.map(({ member, services }) => [
      member,
      services.find((service) => service.plugin === plugin)?.partitions?.length ?? 0,
    ]),
  );
};

/** All partitions are held, by so many each, and every instance runs. */
async function spread(members: readonly Member[], counts: Record<string, number>): Promise<void> {
  for (const member of members)
    await until(
      `${JSON.stringify(counts)} as ${member.name} sees it`,
      () => spreadOf(member),
      (found) => Object.entries(counts).every(([name, count]) => found[name] === count),
    );
  for (const member of members)
    if ((counts[member.name] ?? 0) > 0)
      await until(
        `an instance on ${member.name}`,
        () => statusOf(member),
        ({ lifecycle, placement }) => lifecycle === 'running' && placement?.waits === null,
      );
}

const publishAll = async (members: readonly Member[], from: number, to: number, more: object = {}): Promise<void> => {
  for (let n = from; n < to; n += 1) {
    const key = keys[n % keys.length];
    const member = members[n % members.length];
    await member?.client.call('ingress.publish', { plugin, event: { ...number(n, more), key } });
  }
};

const allEnded = (folder: string, count: number) =>
  until(
    `all ${String(count)} events`,
    () => Promise.resolve(new Set(journalIn(folder).flatMap(({ what, n }) => (what === 'ended' ? [n] : []))).size),
    (size) => size === count,
  );

/** By the key, as they ended first. */
function orderByKey(folder: string): number[][] {
  const seen = new Set<number>();
  const orders = keys.map((): number[] => []);
  for (const { what, n } of journalIn(folder))
    if (what === 'ended' && n !== null && !seen.has(n)) {
      seen.add(n);
      orders[n % keys.length]?.push(n);
    }
  return orders;
}

function assertInOrder(folder: string): void {
  for (const [at, order] of orderByKey(folder).entries())
    assert.deepEqual(
      order,
      [...order].sort((one, other) => one - other),
      `under ${keys[at] ?? ''}`,
    );
}

test(
  'partitions move to a member that joins and from one that is drained, and each key stays in order',
  { skip },
  async (t) => {
    const folder = await temporaryFolder(t);
    const plugins = [writePlacedPlugin(folder, { id: plugin, placement: 'shared' })];
    const nats = await startNats(t);
    const start = (name: string): Promise<Member> => startMember(t, nats, name, { plugins, config: shortLease });
    const one = await start('one');
    await spread([one], { one: 8 });
    const bare = await startMember(t, nats, 'bare', { config: shortLease });
    await publishAll([one, bare], 0, 60, { waitMs: 5 });
    const two = await start('two');
    await publishAll([one, two], 60, 120, { waitMs: 5 });
    await spread([one, two], { one: 4, two: 4 });
    const { placement } = await statusOf(two);
    assert.deepEqual(
      [placement?.placement, new Set(placement?.partitions?.map(({ member }) => member))],
      ['shared', new Set(['one', 'two'])],
    );
    await publishAll([one, two, bare], 120, 180, { waitMs: 5 });
    await two.client.call('cluster.drain', {});
    await publishAll([one, two], 180, 240, { waitMs: 5 });
    await spread([one, two], { one: 8, two: 0 });
    await allEnded(folder, 240);
    assertInOrder(folder);
    const ended = journalIn(folder).filter(({ what }) => what === 'ended');
    assert.equal(ended.length, 240, 'in order, nothing is handled twice');
    assert.equal(new Set(ended.map(({ pid }) => pid)).size, 2, 'both members have handled some');
  },
);

test('the partitions of a member that is killed go to the others, with their events in order', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const plugins = [writePlacedPlugin(folder, { id: plugin, placement: 'shared' })];
  const nats = await startNats(t);
  const start = (name: string): Promise<Member> => startMember(t, nats, name, { plugins, config: shortLease });
  const [one, two] = await Promise.all([start('one'), start('two')]);
  await spread([one, two], { one: 4, two: 4 });
  await publishAll([one, two], 0, 120, { waitMs: 20 });
  two.daemon.signal('SIGKILL');
  await two.daemon.ended;
  await publishAll([one], 120, 180);
  await spread([one], { one: 8 });
  await allEnded(folder, 180);
  assertInOrder(folder);
});

/** It counts by its state, fails where it is told to, and sends what it has. */
const keeping = `export const service = {
  start() {},
  async handleIngress({ payload }, ctx) {
    if (payload.fails) throw new Error('not this one');
    const key = payload.key;
    ctx.state.set(key, (ctx.state.get(key) ?? 0) + 1);
    return { key, count: ctx.state.get(key), keys: ctx.state.keys() };
  },
};`;

function writeKeeping(folder: string, code = keeping): string {
  const place = join(folder, 'keeping');
  const service = {
    ingresses: [{ name: 'numbers', kinds: ['number'] }],
    placement: 'shared',
    retry: { maxAttempts: 1 },
  };
  writePlugin(place, { manifest: { id: plugin, service }, files: { 'index.js': code } });
  return place;
}

const keyed = (key: string, more: object = {}): object => ({
  ingress: 'numbers',
  kind: 'number',
  key,
  payload: { key, ...more },
});

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
  const lettersOf = async ({ client }: Member) =>
    (await client.call('deadLetter.list', { plugin })).deadLetters.map(({ id }) => id);
  await until(
    'a dead letter of each key',
    async () => [...(await lettersOf(one)), ...(await lettersOf(two))],
    ({ length }) => length === keys.length,
  );
  // Each goes to the member with the partition of its key.
  for (const key of keys) {
    const { output } = await deliver(one, key);
    assert.equal(output.count, 2, key);
    assert.ok(output.keys.length < keys.length, 'the keys of other partitions are not in it');
  }
  const before = new Set([...(await lettersOf(one)), ...(await lettersOf(two))]);
  two.daemon.signal('SIGKILL');
  await two.daemon.ended;
  await spread([one], { one: 8 });
  for (const key of keys) assert.equal((await deliver(one, key)).output.count, 3, key);
  assert.deepEqual(new Set(await lettersOf(one)), before);
  const { discarded } = await one.client.call('deadLetter.discard', { plugin, ids: [...before].slice(0, 3) });
  assert.equal(discarded, 3);
  await one.client.call('cluster.drain', {});
  await one.client.call('cluster.drain', { undo: true });
  await spread([one], { one: 8 });
  assert.deepEqual(new Set(await lettersOf(one)), new Set([...before].slice(3)));
});

test('start(ctx) of a shared service cannot write ctx.state', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const code = `export const service = { start(ctx) { ctx.state.set('a', 1); }, handleIngress() {} };`;
  const plugins = [writeKeeping(folder, code)];
  const nats = await startNats(t);
  const one = await startMember(t, nats, 'one', { plugins });
  await until(
    'the fault',
    () => statusOf(one),
    ({ lastError }) => /belongs to the partition of an event/.test(lastError?.message ?? ''),
  );
});
