// Without a guardian nobody sees how a daemon ended: an event that takes it down each time is found by the dispatch
// mark, however the daemon is started again; and one kill is no event's fault.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Client, connect } from '../../protocol/client/client.ts';
import { deathCodes, quickDeath, writeKiller } from '../labs/death-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';

const command = fileURLToPath(new URL('../../dist/daemon/cli/nagaya.js', import.meta.url));
const killer = 'test.killer';
const neighbour = 'test.neighbour';

interface Life {
  readonly ended: Promise<NodeJS.Signals | null>;
  kill(): void;
  /** What `use` answers as soon as it answers something; undefined where the daemon ends first. */
  until<Answer>(use: (client: Client) => Promise<Answer | undefined>): Promise<Answer | undefined>;
}

/** A daemon on what the one before left; it may end before it is ready. */
function daemonIn(t: TestContext, folder: string): Life {
  const socket = join(folder, 'n.sock');
  const child = spawn(
    process.execPath,
    [command, 'serve', '--no-guardian', '--socket', socket, '--config', join(folder, 'nagaya.json')],
    { stdio: 'ignore', env: { PATH: process.env['PATH'], HOME: folder } },
  );
  let isOver = false;
  const ended = new Promise<NodeJS.Signals | null>((resolve) => {
    child.once('exit', (_, signal) => {
      isOver = true;
      resolve(signal);
    });
  });
  const kill = (): void => void child.kill('SIGKILL');
  t.after(async () => {
    kill();
    await ended;
  });
  return {
    ended,
    kill,
    async until(use) {
      for (const byMs = performance.now() + 60_000; !isOver && performance.now() < byMs; await sleep(50)) {
        let client: Client | undefined;
        try {
          client = await connect({ socket });
          const answer = await use(client);
          if (answer !== undefined) return answer;
        } catch {
          // It is not there yet, or no longer.
        } finally {
          await client?.close();
        }
      }
      if (!isOver) throw new Error('what was waited for did not come');
      return undefined;
    },
  };
}

async function folderWith(t: TestContext, service: object): Promise<string> {
  const folder = await temporaryFolder(t);
  const plugins = join(folder, 'plugins');
  mkdirSync(plugins);
  writeKiller(join(plugins, 'killer'), killer, {}, 'disk');
  writeKiller(join(plugins, 'neighbour'), neighbour, {}, 'disk');
  writeFileSync(
    join(folder, 'nagaya.json'),
    JSON.stringify({
      stateFolder: join(folder, 'state'),
      plugins: { folders: [plugins], overrides: { [killer]: service } },
    }),
  );
  return folder;
}

const event = (code: string): object => ({ ingress: 'work', kind: 'do', payload: { code } });

test(
  'a stored event that takes each daemon down is a dead letter after its attempts, and the others are handled',
  { timeout: 180_000 },
  async (t) => {
    const maxAttempts = 2;
    const folder = await folderWith(t, { retry: { maxAttempts } });
    const codes = ['return 1;', deathCodes[quickDeath], ...Array.from({ length: 5 }, () => 'return 2;')];
    let deaths = 0;
    for (; deaths <= maxAttempts + 2; deaths += 1) {
      const daemon = daemonIn(t, folder);
      if (deaths === 0)
        void daemon.until(async (client) => {
          await client.call('ingress.publish', { plugin: neighbour, event: event('return 3;') });
          await client.call('ingress.publish', { plugin: killer, events: codes.map(event) });
          return true;
        });
      const letters = await daemon.until(async (client) => {
        const { queue, inFlight, counters } = await client.call('service.status', { plugin: killer });
        if (counters.enqueued === 0 || queue.depth > 0 || inFlight !== null) return undefined;
        const { deadLetters } = await client.call('deadLetter.list', { plugin: killer });
        const other = await client.call('service.status', { plugin: neighbour });
        assert.equal(other.counters.deadLettered, 0);
        return { deadLetters, counters };
      });
      if (letters === undefined) {
        await daemon.ended;
        continue;
      }
      assert.equal(letters.deadLetters.length, 1);
      assert.equal(letters.deadLetters[0]?.reason, 'attempts');
      assert.equal(letters.deadLetters[0].attempts.length, maxAttempts);
      const { handled, deadLettered, enqueued } = letters.counters;
      assert.deepEqual([handled, deadLettered, enqueued], [codes.length - 1, 1, codes.length]);
      break;
    }
    assert.equal(deaths, maxAttempts + 1, 'the first end of a daemon is nobody’s fault');
  },
);

test('one kill of the daemon uses up no attempt of the event that was being handled', async (t) => {
  const folder = await folderWith(t, { retry: { maxAttempts: 1 } });
  const first = daemonIn(t, folder);
  await first.until(async (client) => {
    const code = 'if (globalThis.slow === undefined) await new Promise((done) => setTimeout(done, 60000));';
    const { queue, inFlight } = await client.call('service.status', { plugin: killer });
    if (queue.depth === 0 && inFlight === null)
      await client.call('ingress.publish', { plugin: killer, event: event(code) });
    return inFlight === null ? undefined : true;
  });
  first.kill();
  await first.ended;
  const next = daemonIn(t, folder);
  const again = await next.until(async (client) => {
    const { inFlight, counters } = await client.call('service.status', { plugin: killer });
    return inFlight === null ? undefined : { attempt: inFlight.attempt, dead: counters.deadLettered };
  });
  assert.deepEqual(again, { attempt: 2, dead: 0 });
});
