// Dead letters and failed attempts of a service of which one instance lives are the cluster's, and not a member's.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect } from '@nats-io/transport-node';
import { jetstream } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import { type Member, noServer as skip, shortLease, startMember, startNats } from '../labs/nats-lab.ts';
import { holderOf, journalIn, number, plugin, statusOf, writePlacedPlugin } from '../labs/placed-plugin.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { writePlugin } from '../labs/written-plugin.ts';
import { untilAnswer } from '../labs/until.ts';

const lettersOf = async ({ client }: Member) => (await client.call('deadLetter.list', { plugin })).deadLetters;

async function attemptsIn(records: KV): Promise<string[]> {
  const found: string[] = [];
  for await (const key of await records.keys()) if (key.includes('.attempts.')) found.push(key);
  return found;
}

async function members(
  t: TestContext,
  plugins: readonly string[],
  config: object = {},
): Promise<[Member, Member, string]> {
  const nats = await startNats(t);
  const start = (name: string): Promise<Member> => startMember(t, nats, name, { plugins: [...plugins], config });
  const all = await Promise.all([start('one'), start('two')]);
  const holder = await holderOf(all);
  const other = all.find((member) => member !== holder);
  assert.ok(other !== undefined);
  return [holder, other, nats.url];
}

test(
  'a dead letter is read on every member, moves with the service, and is replayed where that is',
  { skip },
  async (t) => {
    const folder = await temporaryFolder(t);
    const repaired = join(folder, 'repaired');
    const code = `import { existsSync } from 'node:fs';
export const service = { start() {}, handleIngress() { if (!existsSync(${JSON.stringify(repaired)})) throw new Error('broken'); } };`;
    const service = {
      ingresses: [{ name: 'numbers', kinds: ['number'] }],
      placement: 'one',
      retry: { maxAttempts: 2, backoffMs: [10, 20] },
    };
    writePlugin(join(folder, 'p'), { manifest: { id: plugin, service }, files: { 'index.js': code } });
    const [holder, other] = await members(t, [join(folder, 'p')], shortLease);
    await other.client.call('ingress.publish', { plugin, event: number(1) });
    const [letter] = await untilAnswer(
      'a dead letter',
      () => lettersOf(other),
      ({ length }) => length === 1,
    );
    assert.equal(letter?.attempts.length, 2);
    assert.deepEqual(await lettersOf(holder), [letter]);
    // It is in the cluster once its event has gone from the stream.
    await untilAnswer(
      'counted',
      () => statusOf(holder),
      ({ deadLetters }) => deadLetters.count === 1,
    );
    holder.daemon.signal('SIGKILL');
    await holder.daemon.ended;
    await untilAnswer(
      'it runs there',
      () => statusOf(other),
      ({ placement, lifecycle }) => placement?.waits === null && lifecycle === 'running',
    );
    const after = await untilAnswer(
      'the letter there',
      () => lettersOf(other),
      ({ length }) => length === 1,
    );
    assert.deepEqual(after, [letter]);
    writeFileSync(repaired, '');
    const { results } = await other.client.call('deadLetter.replay', { plugin });
    assert.equal(results[0]?.accepted, true);
    await untilAnswer(
      'no letter',
      () => lettersOf(other),
      ({ length }) => length === 0,
    );
  },
);

test('attempts that failed on a member are counted on the next one', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const retry = { maxAttempts: 5, backoffMs: [100_000, 100_000] };
  const [holder, other, url] = await members(t, [writePlacedPlugin(folder, { id: plugin, retry })], shortLease);
  await other.client.call('ingress.publish', { plugin, event: number(1, { failures: 1 }) });
  await untilAnswer(
    'it waits',
    () => statusOf(holder),
    ({ retrying }) => retrying.count === 1,
  );
  const connection = await connect({ servers: url });
  t.after(() => connection.close());
  const records = await new Kvm(jetstream(connection)).open('nagaya-test-records');
  await untilAnswer(
    'the cluster knows of it',
    async () => await attemptsIn(records),
    ({ length }) => length === 1,
  );
  holder.daemon.signal('SIGKILL');
  await holder.daemon.ended;
  const lines = await untilAnswer(
    'it begins again',
    () => Promise.resolve(journalIn(folder).filter(({ what }) => what === 'began')),
    ({ length }) => length === 2,
  );
  assert.deepEqual(
    lines.map(({ attempt }) => attempt),
    [1, 2],
  );
});

test('an event that the member with the service does not know is a dead letter', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const nats = await startNats(t);
  const version = (name: string, kinds: readonly string[]): string => {
    const service = { ingresses: [{ name: 'numbers', kinds }], placement: 'one' };
    const code = 'export const service = { start() {}, handleIngress() {} };';
    writePlugin(join(folder, name), { manifest: { id: plugin, service }, files: { 'index.js': code } });
    return join(folder, name);
  };
  const older = await startMember(t, nats, 'older', { plugins: [version('a', ['number'])] });
  await holderOf([older]);
  const newer = await startMember(t, nats, 'newer', { plugins: [version('b', ['number', 'letter'])] });
  const event = { ingress: 'numbers', kind: 'letter', payload: { n: 1 } };
  await newer.client.call('ingress.publish', { plugin, event });
  const [letter] = await untilAnswer(
    'a dead letter',
    () => lettersOf(newer),
    ({ length }) => length === 1,
  );
  assert.equal(letter?.reason, 'event_invalid');
  assert.match(letter.attempts[0]?.error.message ?? '', /kind "letter"/);
  const { counters } = await statusOf(older);
  assert.deepEqual([counters.enqueued, counters.deadLettered], [1, 1]);
});
