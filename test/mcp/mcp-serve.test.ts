// `nagaya mcp` begins and ends with its client: it starts a daemon where it was told to and none runs, and nothing of
// either is left behind, however the client ends.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect } from '../../protocol/client/client.ts';
import { command } from '../labs/mcp-lab.ts';
import { startTestDaemon } from '../labs/test-daemon.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { isGone } from '../labs/process-watch.ts';
import { until } from '../labs/until.ts';

interface Pipe {
  readonly pid: number;
  readonly ended: Promise<number | null>;
  ask(method: string, params: object): void;
  heard(): string;
  said(): string;
  end(): void;
  kill(): void;
}

async function startPipe(t: TestContext, args: readonly string[], folder: string): Promise<Pipe> {
  const child = spawn(process.execPath, [command, 'mcp', ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: folder, XDG_CONFIG_HOME: folder, XDG_STATE_HOME: folder },
  });
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  t.after(() => child.kill('SIGKILL'));
  child.stdin.on('error', () => undefined); // it has ended
  let heard = '';
  let said = '';
  let id = 0;
  child.stdout.setEncoding('utf8').on('data', (text: string) => (heard += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  return {
    pid: child.pid ?? 0,
    ended,
    ask: (method, params) =>
      child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: (id += 1), method, params })}\n`),
    heard: () => heard,
    said: () => said,
    end: () => child.stdin.end(),
    kill: () => void child.kill('SIGKILL'),
  };
}

const hello = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
const patienceMs = 60_000;

for (const way of ['ends its input', 'kills the process'] as const)
  test(`with --serve a daemon is started, and ends when the client ${way}`, async (t) => {
    const folder = await temporaryFolder(t);
    const socket = join(folder, 'n.sock');
    const pipe = await startPipe(t, ['--serve', '--socket', socket], folder);
    pipe.ask('initialize', hello);
    await until('the daemon answers', () => pipe.heard().includes('"serverInfo"'), patienceMs);
    const client = await connect({ socket });
    const { pid, guardian } = await client.call('daemon.status', {});
    await client.close();
    if (way === 'ends its input') {
      pipe.end();
      assert.equal(await pipe.ended, 0, pipe.said());
    } else pipe.kill();
    await until('the daemon has ended', () => isGone(pid) && (guardian === null || isGone(guardian.pid)), patienceMs);
    await until('its socket is gone', () => !existsSync(socket), patienceMs);
  });

test('without --serve none is started, and where one runs it is used and stays', async (t) => {
  const folder = await temporaryFolder(t);
  const none = await startPipe(t, ['--socket', join(folder, 'n.sock')], folder);
  assert.notEqual(await none.ended, 0);
  assert.match(none.said(), /No daemon answers at/);
  const daemon = await startTestDaemon(t);
  const pipe = await startPipe(t, ['--serve', '--socket', daemon.socket], folder);
  pipe.ask('initialize', hello);
  await until('it answers', () => pipe.heard().includes('"serverInfo"'), patienceMs);
  pipe.end();
  assert.equal(await pipe.ended, 0);
  const control = await daemon.connect();
  assert.equal((await control.call('daemon.status', {})).pid, daemon.pid);
});
