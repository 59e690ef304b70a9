// A daemon that is killed while its workers have processes leaves none of them and nothing they have started, whatever
// they are doing at that moment; the next daemon takes its place and runs nothing again.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../protocol/client/client.ts';
import { type ProcessIdentity, identityOf, isAlive } from '../../daemon/isolates/process-identity.ts';
import { isGone } from '../labs/process-watch.ts';
import { labFolder } from '../labs/profile-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { type TestDaemon, startTestDaemon } from '../labs/test-daemon.ts';

const runtimeId = 'backend-internal';
const config = {
  plugins: { overrides: { 'test.profiles': { isolation: 'process', profiles: { lab: { timeoutMs: 120_000 } } } } },
};

const start = (t: TestContext, folder: string): Promise<TestDaemon> =>
  startTestDaemon(t, { plugins: [labFolder], config, folder });

async function give(client: Client, order: object): Promise<{ runtimeId: string; workerId: string }> {
  const { workerId } = await client.call('worker.create', {
    runtimeId,
    intent: 'to be killed',
    profile: 'test.profiles:lab',
  });
  await client.call('worker.input', { runtimeId, workerId, content: JSON.stringify(order) });
  return { runtimeId, workerId };
}

/** The numbers it says first: of its cell, and of what it has started. */
async function processesOf(client: Client, worker: { runtimeId: string; workerId: string }): Promise<number[]> {
  for (const byMs = performance.now() + 30_000; performance.now() < byMs; await sleep(10)) {
    const { items } = await client.call('worker.transcript', worker);
    const said = /^\[.*\](?=\n)/.exec(items.find(({ role }) => role === 'worker')?.content ?? '');
    if (said !== null) return JSON.parse(said[0]) as number[];
  }
  throw new Error('the worker did not say what it has started');
}

function descendantsOf(pid: number): number[] {
  try {
    const tasks = readdirSync(`/proc/${String(pid)}/task`);
    const children = tasks.flatMap((task) =>
      readFileSync(`/proc/${String(pid)}/task/${task}/children`, 'utf8')
        .split(' ')
        .map(Number)
        .filter((child) => child > 0),
    );
    return children.flatMap((child) => [child, ...descendantsOf(child)]);
  } catch {
    return [];
  }
}

async function allGone(what: string, remaining: () => readonly number[]): Promise<void> {
  for (const byMs = performance.now() + 15_000; remaining().length > 0; await sleep(20)) {
    assert.ok(
      performance.now() < byMs,
      `${what}: still there: ${remaining()
        .map((pid) => `${String(pid)} ${readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').replaceAll('\0', ' ')}`)
        .join(', ')}`,
    );
  }
}

test(
  'a killed daemon leaves no process of its workers, whatever they do, nor what those have started',
  { timeout: 120_000 },
  async (t) => {
    const folder = await temporaryFolder(t);
    const daemon = await start(t, folder);
    const client = await daemon.connect();
    const found: number[] = [];
    t.after(() => {
      for (const pid of found) if (!isGone(pid)) process.kill(pid, 'SIGKILL');
    });
    for (const then of ['loop', 'hang', 'waitNatively', undefined])
      found.push(...(await processesOf(client, await give(client, { do: 'starts', then }))));
    assert.equal(found.filter((pid) => !isGone(pid)).length, 12);
    daemon.signal('SIGKILL');
    await daemon.ended;
    await allGone('after the kill', () => found.filter((pid) => !isGone(pid)));

    const next = await start(t, folder);
    const again = await next.connect();
    const kept = (await again.call('worker.list', { runtimeId })).workers;
    assert.equal(kept.length, 4);
    for (const { workerId } of kept) {
      const lines = (await again.call('worker.transcript', { runtimeId, workerId })).items;
      // The last of them has nothing more to do, and may have been done when the daemon was killed.
      const interrupted = lines.filter(({ content }) => content.startsWith('interrupted: '));
      const done = lines.filter((line) => 'status' in line && line.status === 'done');
      assert.equal(interrupted.length + done.length, 1, `it does not run again: ${JSON.stringify(lines)}`);
    }
    const fresh = await processesOf(again, await give(again, { do: 'starts' }));
    found.push(...fresh);
    assert.deepEqual(await readdir(join(folder, 'state', 'cells')), [`${String(fresh[0])}.json`]);
    next.signal('SIGTERM');
    assert.deepEqual(await next.ended, { code: 0, signal: null });
    await allGone('after the end', () => fresh.filter((pid) => !isGone(pid)));
  },
);

test(
  "no moment of a worker's beginning is one at which a killed daemon leaves a process behind",
  { timeout: 170_000 },
  async (t) => {
    const folder = await temporaryFolder(t);
    for (let round = 0; round < 8; round += 1) {
      const daemon = await start(t, folder);
      const client = await daemon.connect();
      const inputs = Array.from({ length: 4 }, () => give(client, { do: 'starts', then: 'loop' }));
      for (const input of inputs) input.catch(() => {}); // cut off with its daemon
      await sleep(randomInt(500));
      // While it stands still it starts nobody, and those it has started can be named.
      daemon.signal('SIGSTOP');
      const left: ProcessIdentity[] = descendantsOf(daemon.pid).map(identityOf);
      daemon.signal('SIGKILL');
      await daemon.ended;
      t.diagnostic(`${String(left.length)} processes`);
      await allGone(`round ${String(round)}`, () => left.filter(isAlive).map(({ pid }) => pid));
    }
  },
);
