// The lock beside the control socket: who may make, replace and remove the socket.
import { HostError } from '../../../protocol/errors.ts';
import { type LockTerms, ProcessLock, type Rival } from '../../isolates/process-lock.ts';

const lockOf = (socket: string): string => `${socket}.lock`;

const terms = (answers: () => Promise<boolean>): LockTerms => ({
  answers,
  unusable: (path, reason, message) =>
    new HostError('socket_unusable', `${message}; remove it or name another socket.`, { path, reason }),
});

/** Throws `already_running`. `answers` says whether somebody answers at the socket. */
export async function lockSocket(socket: string, answers: () => Promise<boolean>): Promise<ProcessLock> {
  const lock = await ProcessLock.acquire(lockOf(socket), terms(answers));
  if (lock instanceof ProcessLock) return lock;
  throw alreadyRunning(socket, lock);
}

/** False where the lock names another daemon, or none. */
export const removeSocketLockOf = (socket: string, daemonPid: number): boolean =>
  ProcessLock.removeLeftOf(
    lockOf(socket),
    daemonPid,
    terms(() => Promise.resolve(false)),
  );

export function alreadyRunning(socket: string, { pid, guardianPid }: Rival = { pid: null }): HostError {
  const pids = [
    ...(pid === null ? [] : [`pid ${String(pid)}`]),
    ...(guardianPid === undefined ? [] : [`guardian ${String(guardianPid)}`]),
  ].join(', ');
  return new HostError(
    'already_running',
    `A daemon${pids === '' ? '' : ` (${pids})`} has the socket ${socket} already.`,
    { pid, guardianPid: guardianPid ?? null, socket },
  );
}
