// Waiting for a condition with a deadline; the kit waits in no other way.
import { setTimeout as sleep } from 'node:timers/promises';

/** True when the condition was met in time. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  withinMs: number,
  everyMs = 10,
): Promise<boolean> {
  const endMs = performance.now() + withinMs;
  for (;;) {
    if (await condition()) return true;
    if (performance.now() >= endMs) return false;
    await sleep(everyMs);
  }
}
