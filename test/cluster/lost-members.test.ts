// Attempts that end with their member: they are counted on, and an event that takes members down becomes a dead letter.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Member, noServer as skip, shortLease, startMember, startNats } from '../labs/nats-lab.ts';
import { journalIn, number, plugin, writePlacedPlugin } from '../labs/placed-plugin.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { until, untilAnswer } from '../labs/until.ts';

/** Ends of members that are nobody's fault. */
const free = 2;

test('an event under which members die is a dead letter, and no other event is', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const maxAttempts = 1;
  const plugins = [writePlacedPlugin(folder, { id: plugin, placement: 'shared', retry: { maxAttempts } })];
  const nats = await startNats(t);
  const own = await temporaryFolder(t);
  // The same daemon again need not wait until its lease is over.
  const start = (): Promise<Member> => startMember(t, nats, 'one', { plugins, folder: own, config: shortLease });
  const beganOf = (n: number): number[] =>
    journalIn(folder).flatMap((line) => (line.what === 'began' && line.n === n ? [line.attempt ?? 0] : []));
  let member = await start();
  await untilAnswer(
    'an instance',
    () => member.client.call('service.status', { plugin }),
    ({ lifecycle, placement: place }) => lifecycle === 'running' && place?.waits === null,
  );
  const poison = number(0, { gate: join(folder, 'never') });
  await member.client.call('ingress.publish', { plugin, event: poison });
  await until('the event is handled', () => beganOf(0).length === 1);
  const innocent = [1, 2, 3, 4, 5, 6].map((n) => number(n));
  await member.client.call('ingress.publish', { plugin, events: innocent });
  for (let ends = 1; ends <= free + maxAttempts; ends += 1) {
    await until('the event is handled again', () => beganOf(0).length === ends);
    member.daemon.signal('SIGKILL');
    await member.daemon.ended;
    member = await start();
  }
  const { deadLetters } = await untilAnswer(
    'a dead letter',
    () => member.client.call('deadLetter.list', { plugin }),
    ({ total }) => total > 0,
  );
  await until('the others are handled', () => innocent.every((_, at) => beganOf(at + 1).length > 0));
  assert.deepEqual(beganOf(0), [1, 2, 3]);
  assert.deepEqual(
    deadLetters.map(({ reason, attempts }) => [reason, attempts.map(({ attempt, error }) => [attempt, error.code])]),
    [['attempts', [[3, 'cell_crashed']]]],
  );
});
