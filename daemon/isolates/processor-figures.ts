// What processor time the system has counted for a thread of this process, and for a process with all that it has
// started. The figures are read into one small buffer, because they are read often. Nothing is known without /proc.
import { closeSync, openSync, readSync } from 'node:fs';
import { isCellThread } from './os-thread.ts';

/** Kernels have counted processor time in hundredths of a second for programs since long before Node. */
const tickMs = 10;
const nanosecondsInMs = 1e6;
const userField = 11;
const systemField = 12;
const waitedUserField = 13;
const waitedSystemField = 14;

const buffer = Buffer.alloc(1024);

function read(path: string): string {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    return buffer.toString('latin1', 0, readSync(file, buffer, 0, buffer.length, 0));
  } catch {
    // No /proc, or whom it is about is gone, or no descriptor is left.
    return '';
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** The name stands in parentheses and may itself hold anything. */
const fieldsOf = (stat: string): string[] => stat.slice(stat.lastIndexOf(')') + 2).split(' ');

function sum(fields: readonly string[], ...which: readonly number[]): number | undefined {
  const ticks = which.reduce((total, field) => total + Number(fields[field]), 0);
  return Number.isFinite(ticks) ? ticks * tickMs : undefined;
}

/** False once the kernel has turned out not to keep these statistics. */
let hasSchedule = true;

/** Of one thread of this process, by the system's number of it. */
export function threadCpuMs(osThread: number): number | undefined {
  if (!isCellThread(osThread)) return undefined;
  const task = `/proc/self/task/${String(osThread)}`;
  if (hasSchedule) {
    const ran = Number(read(`${task}/schedstat`).split(' ', 1)[0] || Number.NaN);
    if (ran > 0) return ran / nanosecondsInMs;
  }
  const ticks = sum(fieldsOf(read(`${task}/stat`)), userField, systemField);
  if (ticks !== undefined) hasSchedule = false;
  return ticks;
}

/** Of a process and of those of its children that have ended and that it has waited for. */
export function processCpuMs(pid: number | 'self'): number | undefined {
  return sum(fieldsOf(read(`/proc/${String(pid)}/stat`)), userField, systemField, waitedUserField, waitedSystemField);
}

/** Of all processes that this one has started, that have ended and that it has waited for. */
export const reapedCpuMs = (): number | undefined =>
  sum(fieldsOf(read('/proc/self/stat')), waitedUserField, waitedSystemField);

/**
 * Of a process and of what it has started: the living are named, because finding them costs more than reading their
 * figures. Zombies keep their figures until somebody has waited for them.
 */
export function treeCpuMs(pid: number, started: readonly number[]): number | undefined {
  const own = processCpuMs(pid);
  if (own === undefined) return undefined;
  return started.reduce((total, child) => total + (processCpuMs(child) ?? 0), own);
}
