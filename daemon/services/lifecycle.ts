// The life of a service as a table: state and cause give the next state, or there is no row and the cause is
// refused. Effects stand elsewhere, so that the rules can be read and tested by themselves.
import type { Lifecycle } from '../../protocol/status.ts';

export type LifecycleCause =
  /** The operator, or the daemon at its start, asks for it. */
  | 'start'
  | 'stop'
  /** The supervisor brings a failed service back, or the operator asked for a restart and the old incarnation is gone. */
  | 'restart'
  /** What the incarnation did. */
  | 'started'
  | 'start_failed'
  | 'stopped'
  | 'cell_ended'
  | 'cell_overran';

const table: Readonly<Record<Lifecycle, Readonly<Partial<Record<LifecycleCause, Lifecycle>>>>> = {
  ready: { start: 'starting' },
  starting: { started: 'running', start_failed: 'failed', cell_ended: 'failed', stop: 'stopping' },
  running: { stop: 'stopping', cell_ended: 'failed', cell_overran: 'failed' },
  // Whatever its cell does meanwhile: a service that was told to stop does not fail.
  stopping: { stopped: 'stopped', restart: 'starting' },
  stopped: { start: 'starting' },
  failed: { start: 'starting', restart: 'starting', stop: 'stopped' },
};

/** Undefined: the table does not hold it, and nothing changes. */
export function nextState(state: Lifecycle, cause: LifecycleCause): Lifecycle | undefined {
  return table[state][cause];
}

/** Whether an event that arrives now is queued: in a failed or stopping service only if it comes back without being asked. */
export function acceptsEvents(state: Lifecycle, comesBack: boolean): boolean {
  return state === 'running' || state === 'starting' || ((state === 'failed' || state === 'stopping') && comesBack);
}

/** Whether the first open event counts as in flight. */
export function dispatches(state: Lifecycle): boolean {
  return state === 'running' || state === 'stopping';
}
