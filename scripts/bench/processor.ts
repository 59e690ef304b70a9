// The processor time of other processes, as the system counts it: on a machine with other work it says more than the
// clock on the wall. NaN where there is no /proc.
import { readFileSync, readdirSync } from 'node:fs';

export interface Cpu {
  /** Of the main thread. */
  readonly mainMs: number;
  /** Of all threads that live. */
  readonly allMs: number;
}

function threadMs(pid: number, thread: string): number {
  try {
    return Number(readFileSync(`/proc/${String(pid)}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
  } catch {
    // It ended while it was looked at, or this system does not tell.
    return NaN;
  }
}

export function cpuOf(pid: number): Cpu {
  let threads: string[] = [];
  try {
    threads = readdirSync(`/proc/${String(pid)}/task`);
  } catch {
    // As above.
  }
  const each = threads.map((thread) => threadMs(pid, thread)).filter((ms) => !Number.isNaN(ms));
  return { mainMs: threadMs(pid, String(pid)), allMs: each.length === 0 ? NaN : each.reduce((sum, ms) => sum + ms, 0) };
}
