// What the operations on workers do.
import { EncodedJson } from '../../protocol/json-rpc.ts';
import type { workerOperations } from '../../protocol/operations/worker.ts';
import type { Handlers } from './caller.ts';
import { workerExplanation } from './worker-explanation.ts';
import type { Registry } from '../runtimes/registry.ts';

export function workerHandlers(registry: Registry): Pick<Handlers, keyof typeof workerOperations> {
  return {
    'worker.list': async (params) => await registry.workers(params),
    'worker.create': ({ runtimeId, ...request }) => registry.create(runtimeId, request),
    'worker.show': (address) => registry.worker(address),
    'worker.explain': async (address) => {
      const worker = await registry.worker(address);
      const { totalItems } = worker.transcript;
      const start = Math.max(0, totalItems - explainedItems + 1);
      const items = worker.capabilities.canReadTranscript
        ? (await registry.transcript(address, start, explainedItems)).items
        : [];
      return { explanation: workerExplanation({ worker, items, nowMs: Date.now() }) };
    },
    'worker.input': ({ kind, content, inputId, ...address }) => registry.input(address, { kind, content, inputId }),
    'worker.stop': (address) => registry.stop(address),
    'worker.cancel': ({ eventId, ...address }, { arrivedMs }) =>
      registry.cancel(address, eventId === undefined ? { ranAtMs: arrivedMs } : { eventId }),
    'worker.transcript': ({ start, limit, ...address }) => registry.transcript(address, start, limit),
    'worker.state': async (address) => {
      const { json, bytes } = await registry.state(address);
      return new EncodedJson(`{"state":${json},"bytes":${String(bytes)}}`);
    },
    'worker.events': async ({ after, limit, waitMs, ...address }, caller) => {
      if (caller.follow === undefined)
        return await registry.events(address, { after, limit, waitMs, signal: caller.signal });
      await caller.follow((listener) => registry.subscribe(address, { ...listener, after }));
      // The stream is the answer.
      return { events: [], next: '', more: false };
    },
  };
}

/** So much of the transcript is looked at. */
const explainedItems = 200;
