// A state folder that cannot be written and a disk that is full: the daemon goes on, says so once, keeps in memory what
// it promised to keep, and writes it as soon as it can.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileLetters } from '../labs/dead-letter-lab.ts';
import { endsWell, event, failingDaemon, goesOn, lab, loseEvent } from '../labs/failpoint-daemon.ts';
import { until } from '../labs/log-lab.ts';

for (const [failpoint, code] of [['state-unwritable', 'EACCES'], ['disk-full', 'ENOSPC']] as const) {
  test(`${failpoint} for a while: dead letters stay, the operator is told once, and they are written when it is over`, async (t) => {
    const failing = await failingDaemon(t, `${failpoint}*4`);
    const { daemon, client } = failing;
    const path = join(daemon.folder, 'state', 'dead-letters', `${lab}.ndjson`);
    await loseEvent(client, 'first');
    await loseEvent(client, 'second');
    await until('the trouble is told', () => daemon.log().includes('dead letters cannot be written'));
    assert.match(daemon.log(), new RegExp(`dead letters cannot be written; they are kept in memory and tried again: ${code}`));
    await until('they are on disk', () => fileLetters(path).then(({ letters }) => letters.length === 2, () => false), 60_000);
    assert.equal(daemon.log().split('dead letters cannot be written').length - 1, 1);
    await goesOn(failing);
    await endsWell(failing);
    assert.deepEqual((await fileLetters(path)).letters.map(({ correlationId }) => correlationId), ['first', 'second']);
  });

  test(`${failpoint} for ever: everything else works, letters are had from memory, and the daemon ends in time`, async (t) => {
    const failing = await failingDaemon(t, failpoint);
    const { daemon, client } = failing;
    await loseEvent(client, 'first');
    await goesOn(failing);
    const { deadLetters } = await client.call('deadLetter.list', { plugin: lab });
    assert.deepEqual(deadLetters.map(({ correlationId }) => correlationId), ['first']);
    await until('the operator is told in the timeline', async () => (await client.call('timeline.read', { plugin: lab })).entries.some(({ event: what }) => what === 'dead_letters_unsafe'));
    await until('bundles are told as well', () => daemon.log().includes('flight-recorder bundles cannot be written'));
    const began = performance.now();
    await endsWell(failing);
    assert.ok(performance.now() - began < 15_000);
    for (const folder of ['dead-letters', 'bundles']) assert.deepEqual(await readdir(join(daemon.folder, 'state', folder)).catch(() => []), [], 'half a file was left');
  });
}

test('an old file stays whole under a disk that fills up', async (t) => {
  // The first letter and its bundle find room: two writes of one chunk each, in whichever order.
  const failing = await failingDaemon(t, 'disk-full@2');
  const { daemon, client } = failing;
  const path = join(daemon.folder, 'state', 'dead-letters', `${lab}.ndjson`);
  await loseEvent(client, 'first');
  await until('the first is on disk', () => fileLetters(path).then(() => true, () => false), 60_000);
  await until('its bundle is too', async () => (await readdir(join(daemon.folder, 'state', 'bundles')).catch(() => [])).length === 1, 60_000);
  await loseEvent(client, 'second');
  await until('the trouble is told', () => daemon.log().includes('ENOSPC'), 60_000);
  assert.deepEqual((await fileLetters(path)).letters.map(({ correlationId }) => correlationId), ['first']);
  assert.equal((await client.call('deadLetter.list', { plugin: lab })).total, 2);
  await client.call('ingress.publish', { plugin: lab, event: event({ do: 'echo' }) });
  await goesOn(failing);
});
