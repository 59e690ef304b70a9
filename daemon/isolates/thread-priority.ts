// The priority of a plugin's thread. One that is at the same thing for long, without ever resting, gets a lower one:
// what it wants of a processor is without end, and the host and its neighbours need little to go on. An ordinary user
// may lower a priority and never raise it again, so that it stays so until the thread ends.
import { setPriority } from 'node:os';
import { isCellThread, threadTimes } from './os-thread.ts';

/**
 * Two thirds of the weight of the others: with much less a thread whose place is asked for could not answer in time on
 * a busy machine.
 */
const lowered = 2;
/** Of its own processor time, so that no machine can be too slow for a thread to keep its priority. */
const longMs = 50;

interface Stretch {
  readonly at: number;
  /** How long the thread had run when it was first seen to be still at the same. */
  ranMs: number | undefined;
}

/** Of a plugin that has used more than its share of the processor: an eighth of the weight of the others. */
const beyondItsShare = 10;

/** Of a thread, or of a process's main thread, which runs its JavaScript. */
export function lowerPriority(system: number): void {
  if (!isCellThread(system)) return;
  try {
    setPriority(system, beyondItsShare);
  } catch {
    // It is gone, or the system does not let it be changed: a pause has to do.
  }
}

export class ThreadPriority {
  #stretch: Stretch | undefined;
  #lowered = false;

  /**
   * `at` is another number as soon as the thread begins or ends anything; undefined: it rested meanwhile, or may take
   * long. True when it has just been lowered.
   */
  look(osThread: number, at: number | undefined): boolean {
    if (this.#lowered || !isCellThread(osThread)) return false;
    if (at === undefined) {
      this.#stretch = undefined;
      return false;
    }
    if (this.#stretch?.at !== at) {
      // The system is not asked about those that get on.
      this.#stretch = { at, ranMs: undefined };
      return false;
    }
    const ranMs = threadTimes(osThread)?.ranMs;
    if (ranMs === undefined) return false;
    this.#stretch.ranMs ??= ranMs;
    if (ranMs - this.#stretch.ranMs < longMs) return false;
    this.#lowered = true;
    try {
      setPriority(osThread, lowered);
      return true;
    } catch {
      // The thread is gone, or it is as low already.
      return false;
    }
  }
}
