// The control socket as the file system has it: a path the kernel takes, a folder nobody else can write, and no
// remains of a daemon that is dead.
import { type Stats, lstatSync, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { maxSocketPathBytes } from '../../../protocol/client/socket-path.ts';
import { isAlive } from '../../isolates/process-identity.ts';
import { shellWord } from '../install.ts';
import { type Finding, fault, ok, warning } from './finding.ts';
import { mayWrite, nearestThere } from './folders.ts';

const othersMayWrite = 0o022;
const sticky = 0o1000;

export function checkSocketPath(socket: string): Finding {
  const bytes = Buffer.byteLength(socket);
  if (bytes <= maxSocketPathBytes)
    return ok('socket path', `${socket} (${String(bytes)} of ${String(maxSocketPathBytes)} bytes)`);
  return fault(
    'socket path',
    `${socket} has ${String(bytes)} bytes, and the kernel takes ${String(maxSocketPathBytes)}`,
    'Name a shorter one for daemon and commands alike: `export NAGAYA_SOCKET="$HOME/.nagaya.sock"`',
  );
}

export async function checkSocketFolder(socket: string): Promise<Finding> {
  const check = 'socket folder';
  const folder = dirname(socket);
  const there = await nearestThere(folder);
  const found = await stat(there);
  const elsewhere = 'name a socket in a folder of your own: `export NAGAYA_SOCKET="$HOME/.nagaya/nagaya.sock"`';
  if (!found.isDirectory())
    return fault(
      check,
      `${there} is not a folder`,
      `Move it away: \`mv ${shellWord(there)} ${shellWord(`${there}.old`)}\`, or ${elsewhere}`,
    );
  if (!(await mayWrite(there)))
    return fault(
      check,
      `${there} cannot be written by you`,
      `\`chmod u+rwx ${shellWord(there)}\` if it is yours; otherwise ${elsewhere}`,
    );
  if (there !== folder) return ok(check, `${folder} will be made at the first start`);
  return openFolder(check, folder, found) ?? ok(check, `${folder} is only yours to write`);
}

function openFolder(check: string, folder: string, found: Stats): Finding | undefined {
  const elsewhere = 'Name a socket in a folder of your own: `export NAGAYA_SOCKET="$HOME/.nagaya/nagaya.sock"`';
  if (found.uid !== process.getuid?.())
    return warning(check, `${folder} belongs to another user, who can replace the socket`, elsewhere);
  if ((found.mode & othersMayWrite) === 0) return undefined;
  const mode = (found.mode & 0o7777).toString(8).padStart(4, '0');
  // A shared folder such as /tmp must stay open: the socket is what has to move.
  if ((found.mode & sticky) !== 0)
    return warning(check, `${folder} is shared with other users (mode ${mode})`, elsewhere);
  return fault(
    check,
    `${folder} can be written by others (mode ${mode}): they could put a socket of their own there`,
    `\`chmod 700 ${shellWord(folder)}\``,
  );
}

/** What a daemon that is no more has left, or one that lives and does not answer. `answers` says whether one does. */
export function checkRemains(socket: string, answers: boolean): Finding {
  const check = 'socket and lock';
  if (answers) return ok(check, 'in use by the daemon that answers');
  const lock = `${socket}.lock`;
  const atSocket = lstatSync(socket, { throwIfNoEntry: false });
  const holder = holderOf(lock);
  if (holder?.alive === true) {
    const pid = String(holder.pid);
    return fault(
      check,
      `the daemon with pid ${pid} holds ${lock} and does not answer`,
      `End it, hard if it must be: \`kill ${pid}; sleep 20; kill -9 ${pid}\``,
    );
  }
  if (atSocket !== undefined && !atSocket.isSocket())
    return fault(
      check,
      `${socket} is taken by something that is not a socket`,
      `Move it away: \`mv ${shellWord(socket)} ${shellWord(`${socket}.old`)}\``,
    );
  const left = [...(atSocket === undefined ? [] : [socket]), ...(holder === undefined ? [] : [lock])];
  if (left.length === 0) return ok(check, 'nothing is left of an earlier daemon');
  return warning(
    check,
    `stale: ${left.join(' and ')} ${left.length === 1 ? 'is' : 'are'} left of a daemon that is dead`,
    `\`nagaya serve\` takes over by itself; to clear it now: \`rm -f ${left.map(shellWord).join(' ')}\``,
  );
}

function holderOf(lock: string): { readonly pid: number; readonly alive: boolean } | undefined {
  try {
    const { pid, start } = JSON.parse(readFileSync(lock, 'utf8')) as { pid?: unknown; start?: unknown };
    const identity = {
      pid: Number.isSafeInteger(pid) ? Number(pid) : 0,
      start: typeof start === 'string' ? start : '',
    };
    return { pid: identity.pid, alive: isAlive(identity) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    // Torn or foreign: nobody alive can be read from it.
    return { pid: 0, alive: false };
  }
}
