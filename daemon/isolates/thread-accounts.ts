// What each thread of a plugin accounts for itself, held together so that the daemon can compare their sum with what
// its process really has.
import { readFileSync } from 'node:fs';

export interface ThreadAccount {
  /** Whose code the thread runs. */
  readonly plugin: string;
  readonly threadId: number;
  /** The system's number of the thread; 0 while it is not known. */
  readonly osThread: number;
  /** V8 heap and what V8 knows to lie outside it. */
  readonly accountedMb: number;
  readonly descriptors: number;
  /** When it began what it executes now, on the clock of `monotonicMs`; undefined while it executes nothing. */
  readonly workingSinceMs: number | undefined;
  /** What the cell may hold altogether. */
  readonly allowedMb: number;
  /** The thread is to be ended for this. */
  end(limit: ThreadLimit, what: string): void;
}

export type ThreadLimit = 'memory' | 'descriptors';

/** Of every thread that runs a plugin's code now, in the order in which they began. */
export const threadAccounts = new Set<ThreadAccount>();

const minorFaultsField = 7;
const majorFaultsField = 9;
const pageMb = 4096 / (1024 * 1024);

/**
 * Memory that a thread has made resident since it began: each page costs it a fault. 0 where the system does not tell.
 */
export function faultedMb(osThread: number): number {
  return faultedIn(`/proc/self/task/${String(osThread)}/stat`);
}

/** Of all threads of this process together, those that have ended included. */
export const processFaultedMb = (): number => faultedIn('/proc/self/stat');

/** Resident memory of this process that is backed by files. 0 where the system does not tell. */
export function mappedMemoryMb(): number {
  try {
    const [, , shared = '0'] = readFileSync('/proc/self/statm', 'utf8').split(' ');
    return Number(shared) * pageMb;
  } catch {
    // No /proc, or no descriptor is left.
    return 0;
  }
}

function faultedIn(path: string): number {
  try {
    const stat = readFileSync(path, 'utf8');
    // The name stands in parentheses and may itself hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const faults = Number(fields[minorFaultsField]) + Number(fields[majorFaultsField]);
    return Number.isFinite(faults) ? faults * pageMb : 0;
  } catch {
    // No /proc, or the thread is gone, or no descriptor is left.
    return 0;
  }
}
