// The watchdog of a process cell, seen from the main thread: started before anything of the plugin, and with it the one
// thread that a cell needs where its plugin may have none.
import { syncBuiltinESMExports } from 'node:module';
import workerThreads, { Worker } from 'node:worker_threads';
import { endStarted } from './started-processes.ts';
import type { WatchdogData } from './watchdog.ts';

const watchdogHeapMb = 16;
/** Taken before any plugin runs. */
const kill = process.kill.bind(process);

/** Whoever starts it ends the cell at its `error`: without it the cell would not be told of its daemon's end. */
export function startWatchdog(data: WatchdogData): Worker {
  const watchdog = new Worker(new URL('./watchdog.js', import.meta.url), {
    name: 'watchdog',
    env: {},
    argv: [],
    execArgv: [],
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: watchdogHeapMb },
    workerData: data,
  });
  // However it ended: nobody else would end this process after its daemon.
  watchdog.once('exit', () => {
    endStarted();
    kill(data.ends === 'group' ? 0 : process.pid, 'SIGKILL');
  });
  watchdog.unref();
  return watchdog;
}

/**
 * Resolves when it has all it needs. Before that nothing of the plugin may run: one that uses up the descriptors, or
 * whose daemon dies in that moment, would leave a cell without a watchdog.
 */
export async function watchdogUp(watchdog: Worker): Promise<void> {
  await new Promise<void>((resolve) => watchdog.once('message', () => resolve()));
}

/**
 * Node's permission model would refuse the watchdog's thread too, so that a restricted cell is let start threads and
 * refuses them to its plugin here.
 */
export function denyWorkers(): void {
  class DeniedWorker {
    constructor() {
      throw Object.assign(new Error('Access to this API has been restricted'), {
        code: 'ERR_ACCESS_DENIED',
        permission: 'WorkerThreads',
        resource: '',
      });
    }
  }
  Object.assign(workerThreads, { Worker: DeniedWorker });
  syncBuiltinESMExports();
}
