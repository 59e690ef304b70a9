// A worker of the plugin under test: it is given inputs one after the other, and shown with what it keeps.
import type { Client } from '../../protocol/client/client.ts';
import type { OperationResult } from '../../protocol/operations.ts';
import type { TranscriptItem } from '../../protocol/runtime.ts';

/** What a worker made of one input. */
export interface WorkerReply {
  readonly status: 'done' | 'failed' | 'cancelled';
  /** All that it said to it. */
  readonly said: string;
  /** Why it failed or was cancelled. */
  readonly reason?: string;
}

export interface WorkerUnderTest {
  readonly runtimeId: string;
  readonly workerId: string;
  /** Answers once the worker has dealt with it. */
  input(content: string): Promise<WorkerReply>;
  /** What the worker keeps in ctx.state, as of the last input that was done. */
  state(): Promise<OperationResult<'worker.state'>['state']>;
}

const runtimeId = 'backend-internal';
const waitMs = 10_000;
const pageLimit = 200;

export async function makeWorker(client: Client, profile: string): Promise<WorkerUnderTest> {
  const { workerId } = await client.call('worker.create', { runtimeId, intent: 'a test', profile });
  const address = { runtimeId, workerId };
  return {
    ...address,
    input: async (content) => {
      const { eventId, sequence } = await client.call('worker.input', { ...address, content });
      return await replyOf(client, address, { eventId, sequence });
    },
    state: async () => (await client.call('worker.state', address)).state,
  };
}

interface Input {
  readonly eventId: string;
  readonly sequence: number;
}

/** Looks into the transcript whenever something has happened to the worker. */
async function replyOf(
  client: Client,
  address: { readonly runtimeId: string; readonly workerId: string },
  input: Input,
): Promise<WorkerReply> {
  const { events } = await client.call('worker.events', { ...address, limit: 1 });
  for (let after = events.at(-1)?.cursor; ;) {
    const reply = endOf(await itemsFrom(client, address, input));
    if (reply !== undefined) return reply;
    const page = await client.call('worker.events', {
      ...address,
      waitMs,
      limit: pageLimit,
      ...(after === undefined || after === null ? {} : { after }),
    });
    after = page.events.at(-1)?.cursor ?? after;
  }
}

async function itemsFrom(
  client: Client,
  address: { readonly runtimeId: string; readonly workerId: string },
  { eventId, sequence }: Input,
): Promise<TranscriptItem[]> {
  const found: TranscriptItem[] = [];
  for (let start = sequence; ;) {
    const { items, nextStart } = await client.call('worker.transcript', { ...address, start, limit: pageLimit });
    found.push(...items.filter((item) => item.eventId === eventId));
    if (items.length === 0 || nextStart <= start) return found;
    start = nextStart;
  }
}

function endOf(items: readonly TranscriptItem[]): WorkerReply | undefined {
  const said = items.map(({ role, content }) => (role === 'worker' ? content : '')).join('');
  for (const { role, status, content } of items) {
    if (role === 'worker' && status === 'done') return { status, said };
    if (role === 'host' && (status === 'failed' || status === 'cancelled')) return { status, said, reason: content };
  }
  return undefined;
}
