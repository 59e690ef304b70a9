// Whether a process is still there, for tests that promise its end. One that has ended and only waits to be taken leave
// of is gone.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    return /^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return true;
  }
}

export async function untilGone(pid: number, withinMs = 5000): Promise<void> {
  const byMs = performance.now() + withinMs;
  while (!isGone(pid)) {
    if (performance.now() > byMs) throw new Error(`the process ${String(pid)} is still there`);
    await sleep(10);
  }
}
