// A stored event that takes the daemon down each time it is handled does not do so for ever.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { deathCodes, deathLab, writeKiller } from '../labs/death-lab.ts';
import { until } from '../labs/until.ts';

const killer = 'test.killer';

test('an event that takes down the daemons that handle it is a dead letter when its attempts are used up', async (t) => {
  const lab = await deathLab(t, (folder) => writeKiller(join(folder, 'killer'), killer, { escalate: 'never' }, 'disk'));
  const client = await lab.client();
  const event = { ingress: 'work', kind: 'do', payload: { code: deathCodes.splitHuge } };
  await client.call('ingress.publish', { plugin: killer, event }).catch(() => undefined);
  await until(
    'it is a dead letter',
    async () => {
      try {
        return (await (await lab.client()).call('deadLetter.list', { plugin: killer })).total === 1;
      } catch {
        // Another daemon is on its way.
        return false;
      }
    },
    60_000,
  );
  const now = await lab.client();
  const { deadLetters } = await now.call('deadLetter.list', { plugin: killer });
  assert.equal(deadLetters[0]?.attempts.length, 3);
  const { counters, queue } = await now.call('service.status', { plugin: killer });
  assert.deepEqual([counters.deadLettered, queue.depth, queue.onDisk], [1, 0, 0]);
});
