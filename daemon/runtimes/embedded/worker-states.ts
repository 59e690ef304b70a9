// The states of an embedded worker as a table: how its newest input ended is what a worker at rest shows, and only a
// stop is for good. While other inputs wait an end changes nothing: the worker stays busy.
import type { WorkerState } from '../../../protocol/runtime.ts';

export type WorkerCause = 'input' | 'done' | 'failed' | 'cancelled' | 'interrupted' | 'stop';

const atRest = { input: 'busy', stop: 'stopped' } as const;

const table: Readonly<Record<WorkerState, Readonly<Partial<Record<WorkerCause, WorkerState>>>>> = {
  idle: atRest,
  cancelled: atRest,
  failed: atRest,
  busy: { input: 'busy', done: 'idle', failed: 'failed', cancelled: 'cancelled', interrupted: 'idle', stop: 'stopped' },
  // What still ran when it was stopped comes to its end all the same.
  stopped: { done: 'stopped', failed: 'stopped', cancelled: 'stopped', interrupted: 'stopped' },
};

/** Undefined: the table does not hold it, and nothing changes. */
export function nextWorkerState(state: WorkerState, cause: WorkerCause): WorkerState | undefined {
  return table[state][cause];
}
