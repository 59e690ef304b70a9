// What this process has started, found through /proc, for an end without a daemon: a process that shares its group with
// others cannot be ended by its group. Who was started by a process that has ended since belongs to nobody any more.
import { readFileSync, readdirSync } from 'node:fs';

/** A plugin that starts more than this is not followed further. */
const maxProcesses = 1000;

const kill = process.kill.bind(process);

/** Until nobody new is found: the main thread may be starting more meanwhile. */
export function endStarted(): void {
  const found = new Set<number>();
  let known = -1;
  while (found.size > known && found.size < maxProcesses) {
    known = found.size;
    for (const pid of startedBy('self')) stop(pid, found);
  }
  for (const pid of found) send(pid, 'SIGKILL');
}

/** Stopped before its children are looked up, so that it starts no more. */
function stop(pid: number, found: Set<number>): void {
  if (found.has(pid) || found.size >= maxProcesses) return;
  found.add(pid);
  send(pid, 'SIGSTOP');
  for (const child of startedBy(String(pid))) stop(child, found);
}

function startedBy(process: string): number[] {
  try {
    const threads = `/proc/${process}/task`;
    return readdirSync(threads).flatMap((thread) => readFileSync(`${threads}/${thread}/children`, 'utf8').split(' ').map(Number).filter((pid) => pid > 0));
  } catch {
    // No /proc here, not to be read under the permission model, or the process is gone: there is nobody to find.
    return [];
  }
}

function send(pid: number, signal: 'SIGSTOP' | 'SIGKILL'): void {
  try {
    kill(pid, signal);
  } catch {
    // It has ended by itself in the meantime.
  }
}
