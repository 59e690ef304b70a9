// Dead letters of a shared service are replayed from any member, wherever they are kept.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Member, noServer as skip, startMember, startNats } from '../labs/nats-lab.ts';
import { plugin } from '../labs/placed-plugin.ts';
import { keyed, keys, spread, writeKeeping } from '../labs/shared-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { untilAnswer } from '../labs/until.ts';

test('dead letters of all members are replayed from any', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const plugins = [writeKeeping(folder)];
  const nats = await startNats(t);
  const start = (name: string): Promise<Member> => startMember(t, nats, name, { plugins });
  const [one, two] = await Promise.all([start('one'), start('two')]);
  await spread([one, two], { one: 4, two: 4 });
  for (const key of keys) await one.client.call('ingress.publish', { plugin, event: keyed(key, { fails: true }) });
  const letters = ({ client }: Member) => client.call('deadLetter.list', { plugin });
  const { deadLetters } = await untilAnswer(
    'a dead letter of each key',
    () => letters(two),
    ({ total }) => total === keys.length,
  );
  const [last = ''] = deadLetters.map(({ id }) => id).slice(-1);
  const edited = { plugin, ids: [last], payload: { key: 'edited' } };
  const { results } = await two.client.call('deadLetter.replay', edited);
  assert.deepEqual(
    results.map(({ id, accepted }) => [id, accepted]),
    [[last, true]],
  );
  await untilAnswer(
    'the one that works is gone',
    () => letters(one),
    ({ total }) => total === keys.length - 1,
  );
  const again = await one.client.call('deadLetter.replay', { plugin });
  assert.equal(again.results.length, keys.length - 1);
  await untilAnswer(
    'each is another letter now',
    () => letters(two),
    ({ deadLetters: now }) =>
      now.length === keys.length - 1 && now.every(({ replayOf }) => deadLetters.some(({ id }) => id === replayOf)),
  );
});
