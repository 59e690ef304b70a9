// `npm start` in a checkout: it says what it does before it does it, builds nothing that is built, and becomes the
// daemon.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { nagaya } from '../labs/cli-process.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('npm start says what it does, and the daemon of a built checkout answers', { timeout: 60_000 }, async (t) => {
  const folder = await temporaryFolder(t);
  const socket = join(folder, 's');
  const env = { ...process.env, NAGAYA_SOCKET: socket, NAGAYA_STATE: join(folder, 'state') };
  const beganMs = performance.now();
  const daemon = spawn('npm', ['start'], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  t.after(() => {
    if (daemon.exitCode === null && daemon.pid !== undefined) process.kill(-daemon.pid, 'SIGKILL');
  });
  const ended = once(daemon, 'close');
  let told = '';
  for (const stream of [daemon.stdout, daemon.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (told += text));
  while ((await nagaya(t, ['ping', '--socket', socket])).code !== 0)
    assert.ok(daemon.exitCode === null && performance.now() - beganMs < 50_000, told);
  t.diagnostic(`answered after ${String(Math.round(performance.now() - beganMs))} ms`);
  assert.match(told, /Starting the daemon with the plugins of examples\/\.[^]*"msg":"listening"/);
  assert.doesNotMatch(told, /Building/);
  assert.equal((await nagaya(t, ['shutdown', '--socket', socket])).code, 0);
  assert.equal((await ended)[0], 0, told);
});
