// The storekeeper's thread as the host holds it. The thread is never terminated: one that is ended in the middle of a
// transaction would keep the engine's lock for the rest of the process. It ends by itself, or stays until the process
// ends.
import { Worker } from 'node:worker_threads';
import type { FromKeeper, KeeperData, ToKeeper } from '../../protocol/store/messages.ts';
import { cellEntry, directReads } from '../isolates/entries.ts';

export interface KeeperListener {
  message(message: FromKeeper): void;
  /** The thread is gone; nothing more comes from it. */
  ended(why: string | undefined): void;
}

export interface KeeperThread {
  post(message: ToKeeper): void;
}

export type SpawnKeeper = (data: KeeperData, listener: KeeperListener) => KeeperThread;

const heapMb = 512;

export const spawnKeeper: SpawnKeeper = (data, listener) => {
  const worker = new Worker(cellEntry('storekeeper'), {
    name: 'storekeeper',
    env: {},
    argv: [],
    execArgv: [...directReads],
    resourceLimits: { maxOldGenerationSizeMb: heapMb },
    workerData: data,
  });
  let why: string | undefined;
  worker.on('message', (message: FromKeeper) => listener.message(message));
  worker.on('error', (error) => {
    why = error instanceof Error ? error.message : String(error);
  });
  worker.once('exit', () => listener.ended(why));
  return { post: (message) => worker.postMessage(message) };
};
