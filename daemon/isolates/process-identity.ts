// Which process wrote something down, told apart from a later one that was given the same pid: the pid with the
// moment the process began, where the system says so.
import { readFileSync } from 'node:fs';

export interface ProcessIdentity {
  readonly pid: number;
  /** Boot and start of the process; empty where there is no /proc. */
  readonly start: string;
}

/** Places of a process's state and start in /proc/PID/stat, counted behind the program's name. */
const stateField = 0;
const startField = 19;

function look(pid: number): { readonly start: string; readonly ended: boolean } {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    // The name stands in parentheses and may itself hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return {
      start: `${boot}/${fields[startField] ?? ''}`,
      ended: fields[stateField] === 'Z' || fields[stateField] === 'X',
    };
  } catch {
    // No /proc, or a hidden one: the pid alone must do.
    return { start: '', ended: false };
  }
}

export const identityOf = (pid: number): ProcessIdentity => ({ pid, start: look(pid).start });
export const thisProcess = (): ProcessIdentity => identityOf(process.pid);

/** False also for one that has ended and that its parent has not taken leave of. */
export function isAlive(identity: ProcessIdentity): boolean {
  // Zero and below would mean whole groups of processes.
  if (identity.pid <= 0) return false;
  try {
    process.kill(identity.pid, 0);
  } catch (error) {
    // EPERM: it lives, and belongs to somebody else.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const { start, ended } = look(identity.pid);
  return !ended && (start === '' || identity.start === '' || start === identity.start);
}

/**
 * Alive and beyond doubt the one that was written down: what is asked before a process is ended for what a file says.
 */
export function isSurelyAlive(identity: ProcessIdentity): boolean {
  return identity.start !== '' && isAlive(identity) && look(identity.pid).start === identity.start;
}
