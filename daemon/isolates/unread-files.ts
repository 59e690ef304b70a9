// Puts off the end of a thread that is reading files: on older Nodes a thread that ends while a file is being opened
// leaves the descriptor open in the daemon, for good. What only reads gets there soon; nobody waits for it longer than
// its bound, and an import that loops or waits is ended then all the same.
import type { Worker } from 'node:worker_threads';
import { killStartedBy } from './process-tree.ts';
import { threadInspector } from './thread-inspector.ts';
import { awakeTime } from '../time/awake-time.ts';

/** What a thread is reading: the cell's own modules, which always comes to an end, or its plugin's. */
export type Reading = 'own' | 'plugin' | undefined;

const lookMs = 5;
/** Starting a thread takes this long on a machine that has no time for it. */
export const mostOwnMs = 1000;
const mostPluginMs = 100;

/** Calls `end` as soon as nothing is being read, at once where nothing is. */
export function whenSafeToTerminate(reading: () => Reading, end: () => void): void {
  let pluginMs = 0;
  const beganMs = awakeTime.nowMs();
  let lookedMs = beganMs;
  const look = (): void => {
    const nowMs = awakeTime.nowMs();
    const what = reading();
    // A look that comes late says nothing of the time between.
    if (what === 'plugin') pluginMs += Math.min(nowMs - lookedMs, lookMs * 2);
    lookedMs = nowMs;
    if (what === undefined || pluginMs >= mostPluginMs || nowMs - beganMs >= mostOwnMs) end();
    else setTimeout(look, lookMs).unref();
  };
  look();
}

/**
 * For a thread that a pool ends, for whatever reason. What its plugin has started would outlive it, and is found only
 * while the thread is there; `osThread` is the system's number of it, 0 while that is not known.
 */
export function endsWhenRead(thread: Worker, reading: () => Reading, osThread: () => number): void {
  const terminate = thread.terminate.bind(thread);
  thread.terminate = () =>
    new Promise((resolve) => {
      killStartedBy(osThread());
      whenSafeToTerminate(reading, () => {
        threadInspector.dismiss(thread.threadId);
        resolve(terminate());
      });
    });
}
