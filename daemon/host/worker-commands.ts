// Gives commands to workers of the embedded runtime: one worker for each key of an output, made with the first command,
// and followed by another where it was stopped. The same command again is the same input, whose end is looked up.
import { createHash } from 'node:crypto';
import { HostError, errorKinds } from '../../protocol/errors.ts';
import type { TranscriptItem } from '../../protocol/runtime.ts';
import type { WorkerInput } from '../outputs/drivers.ts';
import { embeddedRuntimeId } from '../runtimes/embedded/embedded-runtime.ts';
import type { Registry, WorkerAddress } from '../runtimes/registry.ts';

/** Workers of one key that were stopped, one after the other. */
const mostStopped = 100;
/** Inputs that the end of a daemon has interrupted are given again as often. */
const mostInterrupted = 20;
const pageItems = 200;
const mostNameKey = 100;

type Registered = Pick<Registry, 'create' | 'input' | 'transcript' | 'subscribe'>;

interface Given extends WorkerAddress {
  readonly eventId: string;
  /** Of the input in the transcript. */
  readonly sequence: number;
}

/** Rejects with errors of the registry. */
export async function giveToWorker(
  registry: Registered,
  command: WorkerInput,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { inputId } = command;
  for (let attempt = 0; attempt <= mostInterrupted; attempt += 1) {
    const given = await give(registry, command, attempt === 0 ? inputId : `${inputId}:${String(attempt)}`);
    if (!command.wantsAnswer) return undefined;
    const item = await endOf(registry, given, signal);
    if (item.status === 'done') return answerJson(given, item);
    // Whatever it has done before its daemon ended: nobody has told the plugin.
    if (item.status === 'failed' && item.content.startsWith('interrupted:')) continue;
    throw new HostError('output_refused', `The worker ${given.workerId} did not do it: ${item.content}`, {
      workerId: given.workerId,
    });
  }
  throw new HostError('output_refused', 'The daemon ended each time while a worker was at it.', { inputId });
}

/** The worker has the input when this resolves. */
async function give(registry: Registered, command: WorkerInput, inputId: string): Promise<Given> {
  const { plugin, output, profile, key, content } = command;
  const shownKey = key === undefined ? '' : ` (${key.slice(0, mostNameKey)})`;
  let requestKey = digest(plugin, output, profile, key ?? '');
  for (let stopped = 0; stopped <= mostStopped; stopped += 1) {
    const { workerId, state } = await registry.create(embeddedRuntimeId, {
      intent: `Takes what ${plugin} sends to its output ${output}${shownKey}.`,
      requestedName: `${plugin} ${output}${shownKey}`,
      profile,
      requestKey,
    });
    const address = { runtimeId: embeddedRuntimeId, workerId };
    try {
      if (state !== 'stopped') {
        const { eventId, sequence } = await registry.input(address, { kind: 'user', content, inputId });
        return { ...address, eventId, sequence };
      }
    } catch (thrown) {
      if (!(thrown instanceof HostError) || thrown.code !== 'worker_stopped') throw thrown;
    }
    requestKey = digest(requestKey, workerId);
  }
  throw new HostError('worker_stopped', 'Each worker of this output was stopped.', { plugin, output });
}

const digest = (...parts: readonly string[]): string =>
  `output:${createHash('sha256').update(JSON.stringify(parts)).digest('hex')}`;

/** What the worker has said to the input, or the host where the worker could not. */
async function endOf(registry: Registered, given: Given, signal: AbortSignal): Promise<TranscriptItem> {
  let wake: () => void = () => undefined;
  let isOver = false;
  const over = (): void => {
    isOver = true;
    wake();
  };
  signal.addEventListener('abort', over);
  const subscription = await registry.subscribe(given, {
    // Texts come in pieces; what matters comes with an item, an end or a snapshot.
    push: ({ type }) => {
      if (type !== 'output') wake();
      return true;
    },
    ended: over,
  });
  try {
    for (;;) {
      const happened = new Promise<void>((resolve) => (wake = resolve));
      const found = await endIn(registry, given);
      if (found !== undefined) return found;
      if (isOver || signal.aborted)
        throw new HostError('runtime_unavailable', errorKinds.runtime_unavailable.meaning, {
          runtimeId: given.runtimeId,
        });
      await happened;
    }
  } finally {
    subscription.close();
    signal.removeEventListener('abort', over);
  }
}

async function endIn(registry: Registered, given: Given): Promise<TranscriptItem | undefined> {
  for (let start = given.sequence; ;) {
    const { items, nextStart, firstSequence, totalItems } = await registry.transcript(given, start, pageItems);
    const found = items.find(
      ({ eventId, role, status }) =>
        eventId === given.eventId && (role === 'host' || (role === 'worker' && status === 'done')),
    );
    if (found !== undefined) return found;
    if (items.length === 0 || nextStart > totalItems) {
      if (firstSequence > given.sequence)
        throw new HostError('output_refused', 'The worker no longer keeps what it said to the command.', {
          workerId: given.workerId,
        });
      return undefined;
    }
    start = nextStart;
  }
}

const answerJson = (
  { runtimeId, workerId, eventId }: Given,
  { content, truncated }: Pick<TranscriptItem, 'content' | 'truncated'>,
): string =>
  JSON.stringify({ content, ...(truncated === true ? { truncated } : {}), runtimeId, workerId, inputId: eventId });
