// A process with bare worker threads that expose one function through comlink: what a service's memory is held against.
import { wrap } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { type MessagePort, Worker } from 'node:worker_threads';
import { attend } from '../attendant.ts';
import { eventAt } from '../payload.ts';
import { program } from '../place.ts';
import type { ComlinkApi } from './comlink-worker.ts';

const workers: Worker[] = [];

attend({
  /** Each has answered once, as a service has started once. */
  async open({ count }: { count: number }): Promise<void> {
    for (let at = 0; at < count; at += 1) {
      const worker = new Worker(program('peers/comlink-worker'));
      workers.push(worker);
      // The adapter takes a worker where it asks for a port: both have the three methods it uses.
      await wrap<ComlinkApi>(nodeEndpoint(worker as unknown as MessagePort)).handle(eventAt(at));
    }
  },
});
