// The thin process between an MCP client and the daemon: messages pass both ways until either side ends, but plain
// calls it makes itself. It starts no daemon unless it is told to, and a daemon that it has started ends with it.
import { spawn } from 'node:child_process';
import { type Socket, createConnection } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { HostError } from '../../protocol/errors.ts';
import { type ExitCode, exitCodes } from './failure.ts';
import { McpRelay } from './mcp-relay.ts';

const startMs = 30_000;
const lookMs = 50;

export async function servePipe(path: string, mayServe: boolean): Promise<ExitCode> {
  const socket = await connected(path, mayServe);
  const asked = await new McpRelay(socket, path).over;
  if (!asked) process.stderr.write('nagaya mcp: the daemon closed the connection\n');
  return asked ? exitCodes.fine : exitCodes.failed;
}

async function connected(path: string, mayServe: boolean): Promise<Socket> {
  try {
    return await connect(path);
  } catch (thrown) {
    const reason = (thrown as NodeJS.ErrnoException).code ?? 'unknown';
    if (!mayServe)
      throw new HostError('daemon_unreachable', `No daemon answers at ${path} (${reason}).`, { socket: path, reason });
  }
  const ended = startDaemon(path);
  const endMs = performance.now() + startMs;
  for (;;) {
    await sleep(lookMs);
    try {
      return await connect(path);
    } catch (thrown) {
      const reason = (thrown as NodeJS.ErrnoException).code ?? 'unknown';
      if (ended() || performance.now() > endMs)
        throw new HostError(
          'daemon_unreachable',
          `The daemon that was started does not answer at ${path} (${reason}).`,
          { socket: path, reason },
        );
    }
  }
}

/** Its end is tied to this process by a pipe, so that nothing is left behind whatever ends this process. */
function startDaemon(path: string): () => boolean {
  const entry = process.argv[1] ?? '';
  const child = spawn(process.execPath, [entry, 'serve', '--socket', path, '--until-stdin-ends'], {
    stdio: ['pipe', 'ignore', 'inherit'],
    detached: true,
  });
  let ended = false;
  child.once('exit', () => (ended = true));
  child.once('error', () => (ended = true));
  child.unref();
  return () => ended;
}

function connect(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path, allowHalfOpen: true });
    socket.once('connect', () => {
      socket.removeListener('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}
