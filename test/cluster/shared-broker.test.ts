// A source of type mqtt of a shared service is open on one member, and moves with the first partition.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { needsBroker, startBroker } from '../labs/broker-lab.ts';
import { type Member, noServer, startMember, startNats } from '../labs/nats-lab.ts';
import { plugin } from '../labs/placed-plugin.ts';
import { spread } from '../labs/shared-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { writePlugin } from '../labs/written-plugin.ts';
import { untilAnswer } from '../labs/until.ts';

const skip = needsBroker.skip === false ? noServer : needsBroker.skip;

const code = `const handled = new Map();
export const service = {
  start() {},
  handleIngress({ payload: { payload: { n } } }) { handled.set(n, (handled.get(n) ?? 0) + 1); },
  status: () => ({ handled: [...handled] }),
};`;

const handledOf = async ({ client }: Member): Promise<(readonly [n: number, times: number])[]> => {
  const { reported } = await client.call('service.status', { plugin, wait: true });
  return (reported?.value as { handled: [number, number][] } | undefined)?.handled ?? [];
};

const stateOf = async ({ client }: Member): Promise<string | undefined> => {
  const { sources } = await client.call('source.list', { plugin });
  return sources[0]?.state;
};

test('each message of a broker is one event, on whichever member it is handled', { skip }, async (t) => {
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
  const ingresses = [{ name: 'numbers', kinds: ['number'] }];
  writePlugin(place, {
    manifest: { id: plugin, service: { ingresses, placement: 'shared', sources: [source] } },
    files: { 'index.js': code },
  });
  const nats = await startNats(t);
  const start = (name: string): Promise<Member> => startMember(t, nats, name, { plugins: [place] });
  const members = await Promise.all([start('one'), start('two')]);
  const [one, two] = members;
  await spread(members, { one: 4, two: 4 });
  const openOn = (): Promise<(string | undefined)[]> => Promise.all(members.map(stateOf));
  const states = await untilAnswer('the source', openOn, (found) => found.includes('open'));
  assert.equal(states.filter((state) => state === 'open').length, 1, states.join());
  const client = await broker.client();
  const publish = async (from: number, to: number): Promise<void> => {
    for (let n = from; n < to; n += 1) await client.publishAsync('home/n', JSON.stringify({ n }), { qos: 1 });
  };
  await publish(0, 20);
  const all = await untilAnswer(
    'all messages',
    async () => (await Promise.all(members.map(handledOf))).flat(),
    ({ length }) => length >= 20,
  );
  assert.deepEqual(
    all.sort(([first], [other]) => first - other),
    Array.from({ length: 20 }, (_, n) => [n, 1]),
  );
  // The member with the source gives its partitions away, and what the broker keeps goes with it.
  const [leaving, staying] = states[0] === 'open' ? [one, two] : [two, one];
  await leaving.client.call('cluster.drain', {});
  await publish(20, 30);
  await spread([staying], { [staying.name]: 8 });
  await untilAnswer('the source on the other member', openOn, (found) => found[members.indexOf(staying)] === 'open');
  await untilAnswer(
    'all messages',
    () => handledOf(staying),
    (handled) => new Set(handled.flatMap(([n]) => (n >= 20 ? [n] : []))).size === 10,
  );
});
