// A worker thread that exposes its handler through comlink.
import { expose } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { parentPort } from 'node:worker_threads';
import { handle } from './handler.ts';

export interface ComlinkApi {
  handle: typeof handle;
}

if (parentPort !== null) expose({ handle } satisfies ComlinkApi, nodeEndpoint(parentPort));
