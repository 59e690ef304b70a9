// The thread of remote daemons as the host holds it. It is this program's own code, but it may die or stall, because
// the network speaks to it.
import { Worker } from 'node:worker_threads';
import type { FromRemote, RemoteData, ToRemote } from '../../../protocol/remote/messages.ts';
import { cellEntry, directReads } from '../../isolates/entries.ts';
import type { SupervisedThread, ThreadListener } from '../../isolates/thread-supervisor.ts';
import { terminateThread } from '../../isolates/thread-termination.ts';

export type SpawnRemote = (data: RemoteData, listener: ThreadListener<FromRemote>) => SupervisedThread<ToRemote>;

const heapMb = 256;

export const spawnRemote: SpawnRemote = (data, listener) => {
  const worker = new Worker(cellEntry('remote-thread'), {
    name: 'remote',
    // Tokens stand in files; of the environment it needs nothing.
    env: {},
    argv: [],
    execArgv: [...directReads],
    resourceLimits: { maxOldGenerationSizeMb: heapMb },
    workerData: data,
  });
  let why: string | undefined;
  worker.on('message', (message: FromRemote) => listener.message(message));
  worker.on('error', (error) => {
    why = error instanceof Error ? error.message : String(error);
  });
  worker.once('exit', () => listener.ended(why));
  return { post: (message) => worker.postMessage(message), end: () => terminateThread(worker) };
};
