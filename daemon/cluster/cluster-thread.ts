// The cluster's thread as the host holds it: the NATS client runs there, because the network speaks to it.
import { SHARE_ENV, Worker } from 'node:worker_threads';
import type { ClusterData, FromCluster, ToCluster } from '../../protocol/cluster/messages.ts';
import { cellEntry, directReads } from '../isolates/entries.ts';
import type { SupervisedThread, ThreadListener } from '../isolates/thread-supervisor.ts';
import { terminateThread } from '../isolates/thread-termination.ts';

export type SpawnCluster = (data: ClusterData, listener: ThreadListener<FromCluster>) => SupervisedThread<ToCluster>;

const heapMb = 512;

export const spawnCluster: SpawnCluster = (data, listener) => {
  const worker = new Worker(cellEntry('cluster-thread'), {
    name: 'cluster',
    // It reads the credentials that the configuration names from the daemon's environment itself.
    env: SHARE_ENV,
    argv: [],
    execArgv: [...directReads],
    resourceLimits: { maxOldGenerationSizeMb: heapMb },
    workerData: data,
  });
  let why: string | undefined;
  worker.on('message', (message: FromCluster) => listener.message(message));
  worker.on('error', (error) => {
    why = error instanceof Error ? error.message : String(error);
  });
  worker.once('exit', () => listener.ended(why));
  return { post: (message) => worker.postMessage(message), end: () => terminateThread(worker) };
};
