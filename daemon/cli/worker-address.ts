// How a command line names a worker: RUNTIME/WORKER, or the worker's id alone and --runtime. An id is always whole: a
// beginning that fits one worker today may fit another tomorrow, so that it is suggested and never followed.
import type { Client } from '../../protocol/client/client.ts';
import { HostError } from '../../protocol/errors.ts';
import { editDistance, nearest } from '../../protocol/issues.ts';
import type { WorkerSummary } from '../../protocol/runtime.ts';
import { usageFailure } from './failure.ts';

export const defaultRuntime = 'backend-internal';

export interface RuntimeOption {
  readonly runtime?: string;
}

export interface WorkerAddress {
  readonly runtimeId: string;
  readonly workerId: string;
}

export const workerText = 'RUNTIME/WORKER, or the id of a worker alone';
export const runtimeFlags = '--runtime <runtime>';
export const runtimeText = `where the worker is (default: ${defaultRuntime})`;

export const addressText = ({ runtimeId, workerId }: WorkerAddress): string => `${runtimeId}/${workerId}`;

export function addressOf(text: string, { runtime }: RuntimeOption): WorkerAddress {
  const slash = text.indexOf('/');
  if (slash === -1) return { runtimeId: runtime ?? defaultRuntime, workerId: text };
  const runtimeId = text.slice(0, slash);
  if (runtime !== undefined && runtime !== runtimeId)
    throw usageFailure(
      `The worker is in ${runtimeId} by its address and in ${runtime} by --runtime.`,
      'Leave one of the two out.',
    );
  return { runtimeId, workerId: text.slice(slash + 1) };
}

/** What of a command line may not be there. */
type Named = Partial<WorkerAddress> & { readonly profile?: string | undefined };

/** A refusal of what was not found says what may have been meant. */
export async function suggesting<Result>(client: Client, named: Named, use: () => Promise<Result>): Promise<Result> {
  try {
    return await use();
  } catch (thrown) {
    if (!(thrown instanceof HostError) || thrown.message.includes('did you mean')) throw thrown;
    const meant = await meantBy(client, thrown, named);
    if (meant === undefined) throw thrown;
    throw new HostError(thrown.code, `${thrown.message.replace(/\.$/, '')}; did you mean ${meant}?`, thrown.details);
  }
}

/** A help that must not get in the way of the refusal itself. */
async function meantBy(
  client: Client,
  { code }: HostError,
  { runtimeId = defaultRuntime, workerId = '', profile }: Named,
): Promise<string | undefined> {
  try {
    if (code === 'runtime_not_found') {
      const { runtimes } = await client.call('runtime.list', {});
      return nearest(
        runtimeId,
        runtimes.map((runtime) => runtime.runtimeId),
      );
    }
    if (code === 'profile_not_found') {
      const { profiles } = await client.call('runtime.show', { runtimeId });
      return nearest(
        profile ?? '',
        profiles.map(({ name }) => name),
      );
    }
    if (code !== 'worker_not_found') return undefined;
    const { workers } = await client.call('worker.list', { limit: 200 });
    const meant = meantWorker(workers, runtimeId, workerId);
    return meant === undefined ? undefined : addressText(meant);
  } catch {
    // What was refused in the first place is what the person is told.
    return undefined;
  }
}

const leastBeginning = 4;
/** Ids are long and alike: more than a slip of the hand is another worker. */
const mostSlips = 2;

/** The only worker with this id elsewhere, the only one that begins so, has this name, or differs by a slip. */
export function meantWorker(
  workers: readonly WorkerSummary[],
  runtimeId: string,
  typed: string,
): WorkerSummary | undefined {
  const ways: readonly ((worker: WorkerSummary) => boolean)[] = [
    ({ workerId }) => workerId === typed,
    ({ workerId }) => typed.length >= leastBeginning && workerId.startsWith(typed),
    ({ displayName }) => displayName === typed,
    (worker) => worker.runtimeId === runtimeId && editDistance(worker.workerId, typed) <= mostSlips,
  ];
  const found = ways.map((fits) => workers.filter(fits)).find((fitting) => fitting.length > 0);
  return found?.length === 1 ? found[0] : undefined;
}
