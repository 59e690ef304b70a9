// Workers for MCP clients, as three tools: start one, send it something, and read what it answers. They are offered
// where `mcp.workers` is on.
import * as z from 'zod';
import { HostError } from '../../protocol/errors.ts';
import { parseOr } from '../../protocol/issues.ts';
import { workerOperations } from '../../protocol/operations/worker.ts';
import { workerToolsOwner } from '../../protocol/mcp/messages.ts';
import type { TranscriptItem } from '../../protocol/runtime.ts';
import type { KnownTool } from '../mcp/exposure.ts';
import type { Registry, WorkerAddress } from '../runtimes/registry.ts';

const usualRuntime = 'backend-internal';
const mostWaitMs = 50_000;
const mostItems = 50;

const reading = workerOperations['worker.transcript'].params
  .omit({ limit: true })
  .extend({ eventId: z.string().min(1).max(256).optional(), waitMs: z.int().min(0).max(mostWaitMs).default(10_000) });

interface WorkerTool {
  readonly listing: KnownTool;
  run(registry: Registry, input: object, signal: AbortSignal): Promise<unknown>;
}

const text = (description: string) => ({ type: 'string', description });
const address = {
  workerId: text('of the worker, as start_worker has answered it'),
  runtimeId: text(`of its runtime; ${usualRuntime} where it is left out`),
};

const listing = (
  tool: string,
  description: string,
  { properties, required }: { readonly properties: object; readonly required: readonly string[] },
  readOnly: boolean,
): KnownTool => ({
  plugin: workerToolsOwner,
  tool,
  description,
  inputSchema: { type: 'object', properties, required, additionalProperties: false },
  outputSchema: {},
  annotations: { readOnly, openWorld: !readOnly },
});

/** What is sent is checked as the operation on workers checks it. */
const inputFor = <Schema extends z.ZodType>(schema: Schema, tool: string, input: object): z.output<Schema> =>
  parseOr(schema, { runtimeId: usualRuntime, ...input }, 'tool_input_invalid', `The input of "${tool}"`);

const tools: readonly WorkerTool[] = [
  {
    listing: listing(
      'start_worker',
      'Starts a worker, which takes inputs and keeps a transcript. Answers its workerId.',
      {
        properties: {
          intent: text('what the worker is for, in your own words'),
          profile: text('the program that it runs; the usual one where it is left out'),
          runtimeId: address.runtimeId,
        },
        required: ['intent'],
      },
      false,
    ),
    run: async (registry, input) => {
      const { params } = workerOperations['worker.create'];
      const { runtimeId, ...request } = inputFor(params, 'start_worker', input);
      const { workerId, profile, state } = await registry.create(runtimeId, request);
      return { runtimeId, workerId, profile, state };
    },
  },
  {
    listing: listing(
      'send_to_worker',
      'Sends an input to a worker. Answers the eventId with which read_worker waits for the answer.',
      {
        properties: {
          ...address,
          content: text('what the worker is told'),
          inputId: text('the same id again is answered as the first time and runs nothing'),
        },
        required: ['workerId', 'content'],
      },
      false,
    ),
    run: async (registry, input) => {
      const { params } = workerOperations['worker.input'];
      const { kind, content, inputId, ...worker } = inputFor(params, 'send_to_worker', input);
      return await registry.input(worker, { kind, content, inputId });
    },
  },
  {
    listing: listing(
      'read_worker',
      'Reads what was said to and by a worker; with eventId, once that input is answered or waitMs is over.',
      {
        properties: {
          ...address,
          eventId: text('the input whose answer is waited for, as send_to_worker has answered it'),
          start: { type: 'integer', minimum: 0, description: 'the first sequence of the transcript that is wanted' },
          waitMs: { type: 'integer', minimum: 0, maximum: mostWaitMs, description: 'how long to wait: 10000 is usual' },
        },
        required: ['workerId'],
      },
      true,
    ),
    run: async (registry, input, signal) => {
      const { start, eventId, waitMs, ...worker } = inputFor(reading, 'read_worker', input);
      return await readWorker(registry, worker, { first: start, eventId, waitMs, signal });
    },
  },
];

export const workerTools: readonly KnownTool[] = tools.map(({ listing }) => listing);

export async function callWorkerTool(
  registry: Registry,
  name: string,
  input: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  const found = tools.find(({ listing }) => listing.tool === name);
  if (found === undefined) throw new HostError('tool_not_found', `There is no tool "${name}".`, { tool: name });
  return await found.run(registry, typeof input === 'object' && input !== null ? input : {}, signal);
}

interface Reading {
  readonly eventId: string | undefined;
  readonly first: number;
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

async function readWorker(registry: Registry, worker: WorkerAddress, wanted: Reading): Promise<unknown> {
  const { eventId, first, signal } = wanted;
  const untilMs = performance.now() + wanted.waitMs;
  let after: string | undefined;
  for (;;) {
    const { items, nextStart, totalItems } = await registry.transcript(worker, first, mostItems);
    const answered = eventId === undefined || items.some((item) => item.eventId === eventId && isAnswer(item));
    const leftMs = Math.floor(untilMs - performance.now());
    if (answered || leftMs <= 0 || signal.aborted || items.length === mostItems) {
      const { state } = await registry.worker(worker);
      return { state, answered: answered && eventId !== undefined, items, nextStart, totalItems };
    }
    // What happens to the worker wakes the reader; the transcript is what it reads.
    const page = await registry.events(worker, { after, limit: 1, waitMs: after === undefined ? 0 : leftMs, signal });
    after = page.next;
  }
}

const isAnswer = ({ role, status }: TranscriptItem): boolean =>
  (role === 'worker' || role === 'host') && (status === 'done' || status === 'failed' || status === 'cancelled');
