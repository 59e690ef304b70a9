// The edge's thread as the host holds it. It is this program's own code: what it says is taken as it is, but it may
// die or stall, because the network speaks to it.
import { SHARE_ENV, Worker } from 'node:worker_threads';
import type { EdgeData, FromEdge, ToEdge } from '../../protocol/edge/messages.ts';
import { cellEntry, directReads } from '../isolates/entries.ts';
import { terminateThread } from '../isolates/thread-termination.ts';

export interface EdgeThreadListener {
  message(message: FromEdge): void;
  /** Nothing more comes from it. */
  ended(why: string | undefined): void;
}

export interface EdgeThread {
  post(message: ToEdge): void;
  /** Told to end, whatever it does. */
  end(): void;
}

export type SpawnEdge = (data: EdgeData, listener: EdgeThreadListener) => EdgeThread;

const heapMb = 256;

export const spawnEdge: SpawnEdge = (data, listener) => {
  const worker = new Worker(cellEntry('edge-thread'), {
    name: 'edge',
    // It reads the credentials that sources name from the daemon's environment itself.
    env: SHARE_ENV,
    argv: [],
    execArgv: [...directReads],
    resourceLimits: { maxOldGenerationSizeMb: heapMb },
    workerData: data,
  });
  let why: string | undefined;
  worker.on('message', (message: FromEdge) => listener.message(message));
  worker.on('error', (error) => {
    why = error instanceof Error ? error.message : String(error);
  });
  worker.once('exit', () => listener.ended(why));
  return { post: (message) => worker.postMessage(message), end: () => terminateThread(worker) };
};
