// A service with the placement `shared`: its members share its partitions, and what is published under one key is
// handled in order, wherever its partition goes.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { numberOf } from '../../daemon/cluster/shared-service.ts';
import { type Member, noServer as skip, shortLease, startMember, startNats } from '../labs/nats-lab.ts';
import { journalIn, plugin, statusOf, writePlacedPlugin } from '../labs/placed-plugin.ts';
import { allEnded, assertInOrder, keys, publishAll, spread } from '../labs/shared-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { until, untilAnswer } from '../labs/until.ts';

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
    const gate = join(folder, 'gate');
    const key = keys.find((name) => placement?.partitions?.[numberOf(name)]?.member === 'one') ?? '';
    await one.client.call('ingress.publish', {
      plugin,
      event: { ingress: 'numbers', kind: 'number', key, payload: { gate } },
    });
    await until('the event is handled', () => journalIn(folder).some(({ what, n }) => what === 'began' && n === null));
    await two.client.call('cluster.drain', {});
    await untilAnswer(
      'partitions on which the member does not act while its instance finishes the event',
      () => statusOf(one),
      ({ placement: now }) =>
        now?.partitions?.every(({ member }) => member === 'one') === true &&
        now.partitions.filter(({ fence }) => fence === null).length === 4,
    );
    writeFileSync(gate, '');
    await publishAll([one, two], 180, 240, { waitMs: 5 });
    await spread([one, two], { one: 8, two: 0 });
    await allEnded(folder, 241);
    assertInOrder(folder);
    const ended = journalIn(folder).filter(({ what }) => what === 'ended');
    assert.equal(ended.length, 241, 'in order, nothing is handled twice');
    assert.equal(new Set(ended.map(({ pid }) => pid)).size, 2, 'both members have handled some');
  },
);
