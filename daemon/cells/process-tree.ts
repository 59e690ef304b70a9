// Ends a process and everything it has started. A plugin's own children would survive the plugin otherwise; they are
// found through /proc, and where there is none (not on Linux) only the process itself is ended.
import { readFileSync, readdirSync } from 'node:fs';

/** A plugin that starts more than this in one call is not followed further. */
const maxProcesses = 1000;

function send(pid: number, signal: 'SIGSTOP' | 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself in the meantime.
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${String(pid)}/task`).flatMap((thread) => startedBy(`/proc/${String(pid)}/task/${thread}`));
  } catch {
    // No /proc here, or the process is gone: there is nobody to find.
    return [];
  }
}

const startedBy = (task: string): number[] => readFileSync(`${task}/children`, 'utf8').split(' ').map(Number).filter((child) => child > 0);

/** What a thread of this process has started, as long as the thread lives; `osThread` is the system's number of it. */
export function killStartedBy(osThread: number): void {
  if (osThread === 0) return;
  try {
    for (const child of startedBy(`/proc/self/task/${String(osThread)}`)) killTree(child);
  } catch {
    // No /proc here, or the thread is gone: there is nobody to find.
  }
}

/** Each is stopped before its children are looked up: so none starts another, and no pid can come to mean a stranger. */
export function killTree(pid: number): void {
  const found = [pid];
  for (let at = 0; at < found.length && found.length < maxProcesses; at += 1) {
    const next = found[at];
    if (next === undefined) break;
    send(next, 'SIGSTOP');
    found.push(...childrenOf(next));
  }
  for (const each of found) send(each, 'SIGKILL');
}
