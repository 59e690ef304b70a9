// An event that only a later version understands waits in the stream of a service: a member of an earlier version
// leaves the service to one that understands it, and loses nothing.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from '@nats-io/transport-node';
import { jetstream } from '@nats-io/jetstream';
import { noServer, startMember, startNats } from '../labs/nats-lab.ts';
import { makeOtherBuild } from '../labs/other-build.ts';
import { holderOf, journalIn, number, plugin, statusOf, writePlacedPlugin } from '../labs/placed-plugin.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { untilAnswer } from '../labs/until.ts';

const later = (n: number): string => {
  const head = {
    protocol: 2,
    eventId: `later-${String(n)}`,
    correlationId: `later-${String(n)}`,
    ingress: 'numbers',
    kind: 'number',
    source: 'test',
    createdAt: '2026-11-30T12:00:00.000Z',
  };
  return `${JSON.stringify(head)}\n${JSON.stringify({ n })}`;
};

test('an event of a later version waits for a member that understands it', { skip: noServer }, async (t) => {
  const [nats, folder] = await Promise.all([startNats(t), temporaryFolder(t)]);
  const plugins = [writePlacedPlugin(folder, { id: plugin })];
  const next = makeOtherBuild(join(folder, 'next'), '9.9.9', 2);
  const handled = (): Promise<number[]> =>
    Promise.resolve([
      ...new Set(journalIn(folder).flatMap(({ what, n }) => (what === 'ended' && n !== null ? [n] : []))),
    ]);
  const has = (numbers: readonly number[]) =>
    untilAnswer(`the events ${numbers.join(', ')}`, handled, (found) => numbers.every((n) => found.includes(n)));

  const a = await startMember(t, nats, 'a', { plugins });
  await holderOf([a]);
  await a.client.call('ingress.publish', { plugin, event: number(1) });
  await has([1]);
  const connection = await connect({ servers: nats.url });
  t.after(() => connection.close());
  await jetstream(connection).publish('nagaya.test.in.test=one', later(2));
  const { placement } = await untilAnswer(
    'a refusal',
    () => statusOf(a),
    ({ placement: found, lifecycle }) => lifecycle !== 'running' && /later version/.test(found?.waits ?? ''),
  );
  assert.match(placement?.waits ?? '', /a daemon of a later version .* upgrade this member/);
  // It is accepted, and waits as well.
  await a.client.call('ingress.publish', { plugin, event: number(3) });
  assert.deepEqual(await handled(), [1]);

  const b = await startMember(t, nats, 'b', { plugins, command: next.command });
  await has([1, 2, 3]);
  assert.equal((await statusOf(b)).placement?.member, 'b');
  await untilAnswer(
    'the other member, seen from here',
    () => statusOf(a),
    ({ placement: found }) => found?.waits === 'the member b has it',
  );
});
