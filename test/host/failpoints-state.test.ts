// A state folder that cannot be written and a disk that is full: the daemon goes on, says so once, keeps in memory what
// it promised to keep, and writes it as soon as it can.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openLetters } from '../labs/dead-letter-lab.ts';
import { endsWell, failingDaemon, goesOn, lab, loseEvent } from '../labs/failpoint-daemon.ts';
import { until } from '../labs/until.ts';

/** A durable service would refuse its events meanwhile. */
const inMemory = { queue: { durability: 'memory' } };

for (const failpoint of ['store-full', 'store-sync'] as const) {
  test(`${failpoint} for a while: dead letters stay, the operator is told once, and they are written when it is over`, async (t) => {
    const failing = await failingDaemon(t, `${failpoint}*4`, inMemory);
    const { daemon, client } = failing;
    await loseEvent(client, 'first');
    await loseEvent(client, 'second');
    await until('the trouble is told', () => daemon.log().includes('dead letters cannot be written'));
    assert.match(daemon.log(), /dead letters cannot be written; they are kept in memory and tried again/);
    await until('the store works again', () => daemon.log().includes('The store works again'), 60_000);
    assert.equal(daemon.log().split('dead letters cannot be written').length - 1, 1);
    await goesOn(failing);
    await endsWell(failing);
    const { letters } = await openLetters(t, join(daemon.folder, 'state'), { pluginId: lab });
    assert.deepEqual(
      letters.ids().map((id) => letters.get(id).correlationId),
      ['first', 'second'],
    );
  });

  test(`${failpoint} and an unwritable folder for ever: everything else works, letters are had from memory, and the daemon ends in time`, async (t) => {
    const failing = await failingDaemon(t, `${failpoint},state-unwritable`, inMemory);
    const { daemon, client } = failing;
    await loseEvent(client, 'first');
    await goesOn(failing);
    const { deadLetters } = await client.call('deadLetter.list', { plugin: lab });
    assert.deepEqual(
      deadLetters.map(({ correlationId }) => correlationId),
      ['first'],
    );
    await until('the operator is told in the timeline', async () =>
      (await client.call('timeline.read', { plugin: lab })).entries.some(
        ({ event: what }) => what === 'dead_letters_unsafe',
      ),
    );
    await until('bundles are told as well', () => daemon.log().includes('flight-recorder bundles cannot be written'));
    const began = performance.now();
    await endsWell(failing);
    assert.ok(performance.now() - began < 15_000);
    assert.deepEqual(
      await readdir(join(daemon.folder, 'state', 'bundles')).catch(() => []),
      [],
      'half a file was left',
    );
  });
}
