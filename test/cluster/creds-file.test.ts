// A nats-server that lets in by signed claims: what is said of a .creds file that is wrong, and that another one counts
// at once.
import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { joined, refused, startGuarded, status, tellsNothingOf } from '../labs/guarded-nats.ts';
import { makeAccounts } from '../labs/nats-accounts.ts';
import { noServer, startMember } from '../labs/nats-lab.ts';
import { untilAnswer } from '../labs/until.ts';

const skip = noServer;

test(
  'a .creds file: one of another operator, expired, damaged or open to others is named, and a new one counts at once',
  { skip },
  async (t) => {
    const accounts = makeAccounts();
    const { nats, folder } = await startGuarded(t, accounts.config);
    const file = join(folder, 'member.creds');
    const [good, foreign] = [accounts.creds(), makeAccounts().creds()];
    const old = accounts.creds({ expires: new Date('2020-01-01T00:00:00Z') });
    const write = (text: string): void => writeFileSync(file, text, { mode: 0o600 });
    write(foreign.text);
    const member = await startMember(t, nats, 'one', { nats: { credentials: file }, joins: false });
    await refused(member, /does not accept the credential file \(cluster\.nats\.credentials\)/);
    await tellsNothingOf(t, member, [...foreign.secrets, file]);
    write(old.text);
    await refused(member, /the JWT in the credential file expired at 2020-01-01T00:00:00/);
    await tellsNothingOf(t, member, [...old.secrets, file]);
    write(good.text.slice(0, 200));
    await refused(member, /must be a \.creds file with a JWT and a seed/);
    write(good.text.replace(/\nSU[A-Z2-7]{8}/, '\nSUAAAAAAAA'));
    await refused(member, /the seed in the credential file is damaged/);
    await tellsNothingOf(t, member, [...good.secrets, file]);
    // The server ends the connection when their time is over. A slow machine needs longer to be a member before.
    for (const lifeMs of [3000, 9000, 27_000]) {
      const expires = new Date(Math.ceil(Date.now() / 1000) * 1000 + lifeMs);
      const short = accounts.creds({ expires });
      write(short.text);
      const { connected } = await untilAnswer(
        'a member, or too late to be one',
        () => status(member),
        // The time tells it from what was said of the file before.
        ({ connected, fault }) => connected || fault?.message.includes(expires.toISOString()) === true,
      );
      await refused(member, /the JWT in the credential file expired at|says that the credentials have expired/);
      await tellsNothingOf(t, member, [...short.secrets, file]);
      if (connected) break;
      assert.ok(lifeMs < 27_000, 'it was never a member');
    }
    write(good.text);
    chmodSync(file, 0o644);
    await refused(member, /`chmod 600` it/);
    chmodSync(file, 0o600);
    await joined(member);
  },
);
