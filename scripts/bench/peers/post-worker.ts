// A bare worker thread: one event a message or a batch of them, executed one after the other, as a user would write it.
import { parentPort } from 'node:worker_threads';
import type { BenchEvent } from '../payload.ts';
import { handle } from './handler.ts';

export type PostMessage =
  { readonly one: BenchEvent } | { readonly batch: readonly BenchEvent[] } | { readonly text: string };

async function executed(message: PostMessage): Promise<number> {
  if ('one' in message) return await handle(message.one);
  // The text was made by the host of this same program.
  const events = 'batch' in message ? message.batch : (JSON.parse(message.text) as BenchEvent[]);
  for (const event of events) await handle(event);
  return events.length;
}

parentPort?.on(
  'message',
  (message: PostMessage) => void executed(message).then((answer) => parentPort?.postMessage(answer)),
);
