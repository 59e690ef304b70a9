// Ages of hours, on a clock that nobody sets: it goes on while the machine sleeps, as the wall clock does, and is not
// moved when the wall clock is.
import { uptime } from 'node:os';
import { monotonicMs } from '../../protocol/cell/register.ts';

/** To ask the system costs more than what most who want to know an age do. */
const askEveryMs = 1000;

let sleptMs = 0;
let askedMs = -Infinity;

/** Milliseconds since some instant; a sleep is noticed a second late. */
export function steadyMs(): number {
  const nowMs = monotonicMs();
  if (nowMs - askedMs > askEveryMs) {
    askedMs = nowMs;
    try {
      // The system tells hundredths of seconds: an age must not go back for their sake.
      sleptMs = Math.max(sleptMs, Math.floor(uptime()) * 1000 - nowMs);
    } catch {
      // It does not tell. Sleep does not count then.
    }
  }
  return nowMs + sleptMs;
}
