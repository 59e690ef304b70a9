// Whatever moment kill -9 hits the daemon at, the file of dead letters is the old one or the new one, and whole.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { fileLetters, namesIn, openLetters } from '../labs/dead-letter-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';

const rounds = 25;
const built = (path: string): string => new URL(`../../dist/daemon/${path}`, import.meta.url).href;
const writer = fileURLToPath(new URL('../fixtures/dead-letters/writer.js', import.meta.url));

test('a file of dead letters is whole after every kill, and never older than what the life before had', { timeout: 120_000 }, async (t) => {
  const folder = join(await temporaryFolder(t), 'dead-letters');
  const path = join(folder, 'test.lab.ndjson');
  let newest = -1;
  let withLeftovers = 0;
  for (let round = 0; round < rounds; round += 1) {
    const child = spawn(process.execPath, [writer, built('services/dead-letters.js'), built('time/real-clock.js'), folder, String(newest + 1)], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    t.after(() => void child.kill('SIGKILL'));
    await Promise.race([once(child.stdout, 'data'), ended]);
    await sleep(randomInt(200));
    child.kill('SIGKILL');
    await ended;
    if ((await namesIn(folder)).some((name) => name.endsWith('.tmp'))) withLeftovers += 1;
    const found = await fileLetters(path).catch((error: NodeJS.ErrnoException) => {
      // Killed before the first write ever.
      if (error.code === 'ENOENT' && newest === -1) return undefined;
      throw error;
    });
    if (found === undefined) continue;
    assert.equal(found.head.letters, found.letters.length);
    const numbers = found.letters.map(({ event }) => (event['payload'] as { n: number }).n);
    assert.deepEqual(numbers, Array.from(numbers, (_, at) => (numbers[0] ?? 0) + at), 'a letter is missing in the middle');
    assert.ok((numbers.at(-1) ?? -1) >= newest, 'the file went back in time');
    newest = numbers.at(-1) ?? newest;
  }
  assert.ok(newest > rounds, `only ${String(newest)} letters were ever written`);
  t.diagnostic(`${String(withLeftovers)} of ${String(rounds)} kills hit a write in the middle`);
  const { letters, troubles } = await openLetters(t, folder);
  assert.deepEqual(troubles, []);
  assert.ok(letters.counts.count > 0);
  assert.deepEqual(await namesIn(folder), ['test.lab.ndjson']);
});
