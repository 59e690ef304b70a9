// What the system says of a process: its resident memory and the processor time it has used. Nothing where there is
// no /proc; then the cell's own word must do.
import { readFileSync, readdirSync } from 'node:fs';

/** Kernels have counted processor time in hundredths of a second for programs since long before Node. */
const tickMs = 10;
const userTimeField = 11;
const systemTimeField = 12;

export function rssMbOf(pid: number): number | undefined {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(read(pid, 'status'))?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
}

/** The same with each shared page divided among the processes that have it. Reading it takes the system longer. */
export function pssMbOf(pid: number): number | undefined {
  const kilobytes = /^Pss:\s+(\d+) kB$/m.exec(read(pid, 'smaps_rollup'))?.[1];
  return kilobytes === undefined ? rssMbOf(pid) : Number(kilobytes) / 1024;
}

export function cpuMsOf(pid: number): number | undefined {
  const stat = read(pid, 'stat');
  // The name stands in parentheses and may itself hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[userTimeField]) + Number(fields[systemTimeField]);
  return Number.isFinite(ticks) ? ticks * tickMs : undefined;
}

/** Standard streams, the channel, the watchdog's pipe and what Node's event loops hold. */
export const ownDescriptors = 40;

/** How many descriptors a process has open. */
export function descriptorsOf(pid: number): number | undefined {
  try {
    return readdirSync(`/proc/${String(pid)}/fd`).length;
  } catch {
    // No /proc here, or the process is gone.
    return undefined;
  }
}

function read(pid: number, name: 'stat' | 'status' | 'smaps_rollup'): string {
  try {
    return readFileSync(`/proc/${String(pid)}/${name}`, 'utf8');
  } catch {
    // No /proc here, or the process is gone.
    return '';
  }
}
