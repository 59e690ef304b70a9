// The clock of the running daemon.
import { monotonicMs } from '../../protocol/cell/register.ts';
import type { Clock } from './clock.ts';

export const realClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs,
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  soon: (run) => queueMicrotask(run),
};
