// The lock of the state folder: two daemons on one folder would overwrite what the other keeps. It ends with the
// daemon's process, so that the next one, under a guardian or not, takes it over.
import { join } from 'node:path';
import { HostError } from '../../protocol/errors.ts';
import { ProcessLock } from '../isolates/process-lock.ts';

export interface StateLock {
  release(): void;
  /** Writes it again where the folder was removed, and says so if another daemon has taken it since. */
  renew(): void;
}

/** Reasons for which the folder cannot be written at all: then nobody overwrites anything. */
const unwritable = new Set<unknown>(['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM']);

/** Throws `state_in_use` with the pid of the daemon that has the folder. `onUnlocked` hears why there is no lock. */
export async function lockState(stateFolder: string, onUnlocked: (message: string) => void): Promise<StateLock> {
  const terms = {
    // Whoever holds this lock answers at a socket that it does not name.
    answers: () => Promise.resolve(false),
    unusable: (path: string, reason: string, message: string) =>
      new HostError('state_unusable', `${message}.`, { path, reason }),
  };
  try {
    const lock = await ProcessLock.acquire(join(stateFolder, 'lock'), terms);
    if (lock instanceof ProcessLock)
      return { release: () => lock.release(), renew: () => renewed(lock, stateFolder, onUnlocked) };
    const { pid } = lock;
    throw new HostError(
      'state_in_use',
      `The daemon with process id ${String(pid)} uses the state folder ${stateFolder}. Stop it, or name another folder with --state.`,
      { pid, path: stateFolder },
    );
  } catch (error) {
    if (!(error instanceof HostError) || !unwritable.has(error.details['reason'])) throw error;
    onUnlocked(`${error.message} The daemon goes on without a lock.`);
    return { release: () => undefined, renew: () => undefined };
  }
}

function renewed(lock: ProcessLock, stateFolder: string, onUnlocked: (message: string) => void): void {
  try {
    const rival = lock.renew();
    if (rival !== undefined)
      onUnlocked(
        `The daemon with process id ${String(rival.pid)} uses the state folder ${stateFolder} as well, because its lock was removed. Stop one of the two.`,
      );
  } catch (error) {
    onUnlocked(`${error instanceof Error ? error.message : String(error)} The daemon goes on without a lock.`);
  }
}
