// A host-owned thread: this program's own code, whose messages are taken as they are. It may die or stall all the same.
import { SHARE_ENV, Worker } from 'node:worker_threads';
import { cellEntry, directReads } from './entries.ts';
import type { SupervisedThread, ThreadListener } from './thread-supervisor.ts';
import { terminateThread } from './thread-termination.ts';

export interface HostThreadOptions {
  readonly entry: Parameters<typeof cellEntry>[0];
  readonly name: string;
  readonly heapMb: number;
  readonly data: unknown;
}

/** It reads the credentials that it is told the names of from the daemon's environment itself. */
export function spawnHostThread<To, From>(
  { entry, name, heapMb, data }: HostThreadOptions,
  listener: ThreadListener<From>,
): SupervisedThread<To> {
  const worker = new Worker(cellEntry(entry), {
    name,
    env: SHARE_ENV,
    argv: [],
    execArgv: [...directReads],
    resourceLimits: { maxOldGenerationSizeMb: heapMb },
    workerData: data,
  });
  let why: string | undefined;
  worker.on('message', (message: From) => listener.message(message));
  worker.on('error', (error) => {
    why = error instanceof Error ? error.message : String(error);
  });
  worker.once('exit', () => listener.ended(why));
  return { post: (message) => worker.postMessage(message), end: () => terminateThread(worker) };
}
