// Sources of the types mqtt and websocket of a shared service are open on one member and move with the first partition.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { needsBroker, startBroker } from '../labs/broker-lab.ts';
import { type Member, noServer, startMember, startNats } from '../labs/nats-lab.ts';
import { plugin } from '../labs/placed-plugin.ts';
import { spread } from '../labs/shared-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { startPeer } from '../labs/websocket-lab.ts';
import { writePlugin } from '../labs/written-plugin.ts';
import { untilAnswer } from '../labs/until.ts';

const skip = needsBroker.skip === false ? noServer : needsBroker.skip;

const code = `const handled = new Map();
export const service = {
  start() {},
  handleIngress({ payload: { payload, data } }) { const { n } = payload ?? data; handled.set(n, (handled.get(n) ?? 0) + 1); },
  status: () => ({ handled: [...handled] }),
};`;

const handledOf = async ({ client }: Member): Promise<(readonly [n: number, times: number])[]> => {
  const { reported } = await client.call('service.status', { plugin, wait: true });
  return (reported?.value as { handled: [number, number][] } | undefined)?.handled ?? [];
};

/** Of its sources, in the order of the manifest. */
const statesOf = async ({ client }: Member): Promise<readonly string[]> => {
  const { sources } = await client.call('source.list', { plugin });
  return sources.map(({ state }) => state);
};

test(
  'each message of a broker, and of the peer of a websocket, is one event, on whichever member it is handled',
  { skip },
  async (t) => {
    const folder = await temporaryFolder(t);
    const place = join(folder, 'listening');
    const broker = await startBroker(t);
    const source = {
      name: 'sensors',
      type: 'mqtt',
      url: broker.url,
      topics: ['home/#'],
      clientId: 'the-cluster',
      ingress: 'numbers',
      kind: 'number',
      keyFrom: { body: '/n' },
      reconnect: { backoffMs: [10, 50] },
    };
    const peer = await startPeer(t);
    const feed = { ...source, name: 'feed', type: 'websocket', url: peer.url };
    const { topics: _topics, clientId: _clientId, ...websocket } = feed;
    const ingresses = [{ name: 'numbers', kinds: ['number'] }];
    writePlugin(place, {
      manifest: { id: plugin, service: { ingresses, placement: 'shared', sources: [source, websocket] } },
      files: { 'index.js': code },
    });
    const nats = await startNats(t);
    const start = (name: string): Promise<Member> => startMember(t, nats, name, { plugins: [place] });
    const members = await Promise.all([start('one'), start('two')]);
    const [one, two] = members;
    await spread(members, { one: 4, two: 4 });
    const openOn = async (): Promise<boolean[][]> =>
      (await Promise.all(members.map(statesOf))).map((states) => states.map((state) => state === 'open'));
    const both = [true, true];
    const states = await untilAnswer('the sources', openOn, (found) =>
      found.some((open) => isDeepStrictEqual(open, both)),
    );
    const at = states.findIndex((open) => isDeepStrictEqual(open, both));
    assert.deepEqual(states[1 - at], [false, false]);
    const client = await broker.client();
    const publish = async (from: number, to: number): Promise<void> => {
      for (let n = from; n < to; n += 1) await client.publishAsync('home/n', JSON.stringify({ n }), { qos: 1 });
    };
    const send = (n: number): void => {
      for (const connection of peer.server.clients) connection.send(JSON.stringify({ n }));
    };
    await publish(0, 20);
    send(20);
    const all = await untilAnswer(
      'all messages',
      async () => (await Promise.all(members.map(handledOf))).flat(),
      ({ length }) => length >= 21,
    );
    assert.deepEqual(
      all.sort(([first], [other]) => first - other),
      Array.from({ length: 21 }, (_, n) => [n, 1]),
    );
    // The member with the sources gives its partitions away, and what the broker keeps goes with them.
    const [leaving, staying] = at === 0 ? [one, two] : [two, one];
    await leaving.client.call('cluster.drain', {});
    await publish(30, 40);
    await spread([staying], { [staying.name]: 8 });
    await untilAnswer('the sources on the other member', openOn, (found) => isDeepStrictEqual(found[1 - at], both));
    send(40);
    await untilAnswer(
      'all messages',
      () => handledOf(staying),
      (handled) => new Set(handled.flatMap(([n]) => (n >= 30 ? [n] : []))).size === 11,
    );
  },
);
