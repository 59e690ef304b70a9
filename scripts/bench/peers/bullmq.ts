// What of BullMQ is used here; it is not installed where this is compiled.
import { pathToFileURL } from 'node:url';
import { peerModule } from './broker.ts';

interface Closable {
  close(): Promise<void>;
}

export interface JobQueue extends Closable {
  add(name: string, data: object): Promise<unknown>;
}

export interface BullMq {
  Queue: new (name: string, options: object) => JobQueue;
  Worker: new (
    name: string,
    handle: (job: { readonly data: unknown }) => Promise<unknown>,
    options: object,
  ) => Closable;
}

export async function bullmq(): Promise<BullMq> {
  const path = peerModule('bullmq');
  if (path === undefined) throw new Error('bullmq is not installed');
  return (await import(pathToFileURL(path).href)) as BullMq;
}
