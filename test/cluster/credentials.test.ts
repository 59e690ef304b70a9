// A nats-server that lets nobody in without a password or a token: members that have them, and what is said of those
// that do not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { joined, refused, startGuarded, status, tellsNothingOf } from '../labs/guarded-nats.ts';
import { noServer, startMember } from '../labs/nats-lab.ts';

const skip = noServer;

const userConfig = (password: string): string => `authorization { user: member, password: "${password}" }`;
const byPassword = { credentials: { user: 'member', passwordEnv: 'NATS_PASSWORD' } };

test(
  'a user and a password: a wrong one is named, and the right one counts as soon as the server has it',
  { skip },
  async (t) => {
    const [right, wrong] = ['right-password-6f1b', 'wrong-password-77c2'];
    const guarded = await startGuarded(t, userConfig(right));
    const start = (name: string, password: string, joins: boolean) =>
      startMember(t, guarded.nats, name, { nats: byPassword, env: { NATS_PASSWORD: password }, joins });
    const [one, two] = await Promise.all([start('one', right, true), start('two', wrong, false)]);
    await refused(two, /does not accept the user and the password \(cluster\.nats\.credentials\)/);
    await tellsNothingOf(t, two, [right, wrong]);
    assert.equal((await status(one)).members.length, 1);
    // The password is changed on the server: the member that was connected is out, the other one is in.
    await guarded.configure(userConfig(wrong));
    await joined(two);
    await refused(one, /does not accept the user and the password/);
    await tellsNothingOf(t, one, [right, wrong]);
    await guarded.configure(userConfig(right));
    await joined(one);
  },
);

test('a token: a wrong one, none, and a variable that is not set are told apart', { skip }, async (t) => {
  const [right, wrong] = ['right-token-91d0', 'wrong-token-0e7a'];
  const { nats } = await startGuarded(t, `authorization { token: "${right}" }`);
  const byToken = { credentials: { tokenEnv: 'NATS_TOKEN' } };
  const [, two, three, four] = await Promise.all([
    startMember(t, nats, 'one', { nats: byToken, env: { NATS_TOKEN: right } }),
    startMember(t, nats, 'two', { nats: byToken, env: { NATS_TOKEN: wrong }, joins: false }),
    startMember(t, nats, 'three', { nats: byToken, joins: false }),
    startMember(t, nats, 'four', { joins: false }),
  ]);
  await refused(two, /does not accept the token \(cluster\.nats\.credentials\)/);
  await refused(three, /cluster\.nats\.credentials: the variable NATS_TOKEN is not set/);
  await refused(four, /asks for credentials, and cluster\.nats\.credentials is not set/);
  await tellsNothingOf(t, two, [right, wrong]);
});
