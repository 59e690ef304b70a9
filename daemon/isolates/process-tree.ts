// Ends a process and everything it has started. A plugin's own children would survive the plugin otherwise; where the
// system has no table of processes to find them in (not on Linux), only the process itself is ended.
import { readFileSync, readdirSync } from 'node:fs';
import { StartedProcesses } from '../../protocol/cell/started-processes.ts';
import { type ProcessIdentity, identityOf, isSurelyAlive } from './process-identity.ts';
import { isCellThread } from './os-thread.ts';

const processes = new StartedProcesses({
  readdir: (path) => readdirSync(path),
  readText: (path) => readFileSync(path, 'utf8'),
  kill: (pid, signal) => void process.kill(pid, signal),
});

/** What a thread of this process has started, as long as the thread lives; `osThread` is the system's number of it. */
export function killStartedBy(osThread: number): void {
  if (isCellThread(osThread)) processes.end(() => processes.byThread(osThread));
}

export function killTree(pid: number): void {
  processes.end(() => [pid]);
}

/** Children of a process and theirs, oldest first. */
export const processesBelow = (pid: number): number[] => processes.below(pid);

/** For when the process itself is gone, and nobody can be asked any more who was its child. */
export const identitiesBelow = (pid: number): ProcessIdentity[] => processes.below(pid).map(identityOf);

/** Those of them that are still there, with what they have started. */
export function killRemaining(identities: readonly ProcessIdentity[]): void {
  for (const identity of identities) if (isSurelyAlive(identity)) killTree(identity.pid);
}
