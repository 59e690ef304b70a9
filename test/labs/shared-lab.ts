// Members that share the service `test.one`, and what its journal says of the order of events.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type Member } from './nats-lab.ts';
import { journalIn, number, plugin } from './placed-plugin.ts';
import { writePlugin } from './written-plugin.ts';
import { untilAnswer } from './until.ts';

export const keys = ['k0', 'k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7', 'k8', 'k9', 'ka', 'kb'];

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

/** All partitions are held, by so many each, and every instance runs and works on those of its member. */
export async function spread(members: readonly Member[], counts: Record<string, number>): Promise<void> {
  for (const member of members)
    await untilAnswer(
      `${JSON.stringify(counts)} as ${member.name} sees it`,
      () => spreadOf(member),
      (found) => Object.entries(counts).every(([name, count]) => found[name] === count),
    );
  for (const { name, client } of members)
    if ((counts[name] ?? 0) > 0)
      await untilAnswer(
        `an instance on ${name}`,
        () => client.call('service.status', { plugin }),
        // With one that it does not work on yet, it starts again in a moment.
        ({ lifecycle, placement }) =>
          lifecycle === 'running' &&
          placement?.partitions?.filter((one) => one.member === name && one.fence !== null).length === counts[name],
      );
}

export const publishAll = async (
  members: readonly Member[],
  from: number,
  to: number,
  more: object = {},
): Promise<void> => {
  for (let n = from; n < to; n += 1) {
    const key = keys[n % keys.length];
    const member = members[n % members.length];
    await member?.client.call('ingress.publish', { plugin, event: { ...number(n, more), key } });
  }
};

export const allEnded = (folder: string, count: number) =>
  untilAnswer(
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

export function assertInOrder(folder: string): void {
  for (const [at, order] of orderByKey(folder).entries())
    assert.deepEqual(
      order,
      [...order].sort((one, other) => one - other),
      `under ${keys[at] ?? ''}`,
    );
}

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

export function writeKeeping(folder: string, code = keeping): string {
  const place = join(folder, 'keeping');
  const service = {
    ingresses: [{ name: 'numbers', kinds: ['number'] }],
    placement: 'shared',
    retry: { maxAttempts: 1 },
  };
  writePlugin(place, { manifest: { id: plugin, service }, files: { 'index.js': code } });
  return place;
}

export const keyed = (key: string, more: object = {}): object => ({
  ingress: 'numbers',
  kind: 'number',
  key,
  payload: { key, ...more },
});
