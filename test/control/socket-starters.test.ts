// Who gets the socket: one daemon at a time, also when several start at the same moment over what a dead one left.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { RawSocket } from '../labs/raw-socket.ts';
import { StarterProcess } from '../labs/starter-process.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';

const answers = async (t: test.TestContext, path: string): Promise<boolean> => {
  const raw = await RawSocket.connect(t, path);
  raw.request(1, 'daemon.ping');
  return (await raw.message()).id === 1;
};

test('a second daemon is told the pid of the first, and the first does not notice', async (t) => {
  const path = join(await temporaryFolder(t), 's.sock');
  const first = await StarterProcess.spawn(t, path);
  const second = await StarterProcess.spawn(t, path);
  assert.deepEqual(await first.listen(), { listening: first.pid });
  assert.deepEqual(await second.listen(), {
    code: 'already_running',
    details: { pid: first.pid, guardianPid: null, socket: path },
  });
  assert.ok(await answers(t, path));
  await first.end('close');
  assert.deepEqual([existsSync(path), existsSync(`${path}.lock`)], [false, false]);
  assert.deepEqual(await second.listen(), { listening: second.pid });
});

test('the lock is readable for its owner alone and names the process', async (t) => {
  const path = join(await temporaryFolder(t), 's.sock');
  const starter = await StarterProcess.spawn(t, path);
  await starter.listen();
  assert.equal(statSync(`${path}.lock`).mode & 0o777, 0o600);
  assert.equal((JSON.parse(readFileSync(`${path}.lock`, 'utf8')) as { pid: number }).pid, starter.pid);
});

test(
  'what a daemon left that was killed is taken over, and of many that start at once exactly one gets it',
  { timeout: 180_000 },
  async (t) => {
    const folder = await temporaryFolder(t);
    const path = join(folder, 's.sock');
    const starters = await Promise.all(Array.from({ length: 5 }, () => StarterProcess.spawn(t, path)));
    const waiting = new Set(starters);
    while (waiting.size > 0) {
      const racing = [...waiting];
      const sayings = await Promise.all(racing.map((starter) => starter.listen()));
      const winner = racing.find((_, index) => sayings[index]?.listening !== undefined);
      assert.equal(sayings.filter((saying) => saying.listening !== undefined).length, 1, JSON.stringify(sayings));
      for (const saying of sayings) {
        if (saying.listening === undefined)
          assert.deepEqual(saying, {
            code: 'already_running',
            details: { pid: winner?.pid, guardianPid: null, socket: path },
          });
      }
      assert.ok(await answers(t, path));
      await winner?.end('die');
      assert.ok(existsSync(path), 'it left its socket');
      if (winner !== undefined) waiting.delete(winner);
    }
    assert.deepEqual(readdirSync(folder).sort(), ['s.sock', 's.sock.lock'], 'no claim or draft is left');
  },
);

test('a lock whose pid was given to another process is stale', async (t) => {
  const path = join(await temporaryFolder(t), 's.sock');
  writeFileSync(`${path}.lock`, JSON.stringify({ pid: process.pid, start: 'another boot/1', nonce: 'n' }));
  const starter = await StarterProcess.spawn(t, path);
  assert.deepEqual(await starter.listen(), { listening: starter.pid });
});

test('a claim that a dead starter left behind, and a torn lock, are no obstacle', async (t) => {
  const folder = await temporaryFolder(t);
  const path = join(folder, 's.sock');
  const dead = (nonce: string): string => JSON.stringify({ pid: 999_999_999, start: '', nonce });
  writeFileSync(`${path}.lock`, dead('owner'));
  writeFileSync(`${path}.lock.owner`, dead('claimant'));
  writeFileSync(`${path}.lock.claimant`, '{"pid":');
  const starter = await StarterProcess.spawn(t, path);
  assert.deepEqual(await starter.listen(), { listening: starter.pid });
  assert.deepEqual(readdirSync(folder).sort(), ['s.sock', 's.sock.lock']);
});

test('whoever answers at the socket keeps it, with a dead lock beside it or with none', async (t) => {
  const path = join(await temporaryFolder(t), 's.sock');
  const other = createServer();
  await new Promise<void>((listening) => other.listen(path, listening));
  t.after(() => other.close());
  const starter = await StarterProcess.spawn(t, path);
  assert.deepEqual(await starter.listen(), {
    code: 'already_running',
    details: { pid: null, guardianPid: null, socket: path },
  });
  assert.equal(existsSync(`${path}.lock`), false, 'its own lock is gone again');
  const lock = JSON.stringify({ pid: 999_999_999, start: '', nonce: 'n' });
  writeFileSync(`${path}.lock`, lock);
  assert.deepEqual(await starter.listen(), {
    code: 'already_running',
    details: { pid: null, guardianPid: null, socket: path },
  });
  assert.equal(readFileSync(`${path}.lock`, 'utf8'), lock, 'a lock that may be of another container is left as it is');
});
