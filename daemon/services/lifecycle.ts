// The life of a service as a table: phase and cause give the next phase, or there is no row and the cause is refused.
// Effects stand elsewhere, so that the rules can be read and tested by themselves. What is told to the outside is
// coarser: each phase belongs to one lifecycle.
import type { Lifecycle } from '../../protocol/status.ts';

export type LifecycleCause =
  /** The operator, or the daemon at its start, asks for it. */
  | 'start'
  | 'stop'
  | 'reload'
  /** The operator asks for it, or the supervisor brings a failed service back. */
  | 'restart'
  /** What the incarnation did. */
  | 'started'
  | 'start_failed'
  | 'stopped'
  | 'cell_ended'
  | 'cell_overran'
  /** What the new incarnation of a reload did. */
  | 'takes_over'
  | 'reloaded'
  | 'reload_failed';

export type Phase =
  'ready' | 'starting' | 'running' | 'reloading' | 'handingOver' | 'restarting' | 'stopping' | 'stopped' | 'failed';

const table: Readonly<Record<Phase, Readonly<Partial<Record<LifecycleCause, Phase>>>>> = {
  ready: { start: 'starting' },
  starting: { started: 'running', start_failed: 'failed', stop: 'stopping', restart: 'restarting' },
  running: {
    reload: 'reloading',
    stop: 'stopping',
    restart: 'restarting',
    cell_ended: 'failed',
    cell_overran: 'failed',
  },
  // The old incarnation goes on until the new one has started.
  reloading: {
    takes_over: 'handingOver',
    reload_failed: 'running',
    stop: 'stopping',
    restart: 'restarting',
    cell_ended: 'failed',
  },
  // The new one runs and waits until the old one stands still between two events.
  handingOver: { reloaded: 'running', stop: 'stopping', restart: 'restarting', cell_ended: 'failed' },
  // Whatever its cell does meanwhile: a service that was told to stop does not fail.
  restarting: { stopped: 'starting', stop: 'stopping' },
  stopping: { stopped: 'stopped' },
  stopped: { start: 'starting' },
  failed: { start: 'starting', restart: 'starting', stop: 'stopping' },
};

const lifecycles: Readonly<Record<Phase, Lifecycle>> = {
  ready: 'ready',
  starting: 'starting',
  running: 'running',
  reloading: 'running',
  handingOver: 'running',
  restarting: 'stopping',
  stopping: 'stopping',
  stopped: 'stopped',
  failed: 'failed',
};

/** Undefined: the table does not hold it, and nothing changes. */
export function nextPhase(phase: Phase, cause: LifecycleCause): Phase | undefined {
  return table[phase][cause];
}

export function lifecycleOf(phase: Phase): Lifecycle {
  return lifecycles[phase];
}

/** Whether an event that arrives now is queued: in a failed service only if it comes back without being asked to. */
export function acceptsEvents(phase: Phase, comesBack: boolean): boolean {
  switch (phase) {
    case 'starting':
    case 'running':
    case 'reloading':
    case 'handingOver':
    case 'restarting':
      return true;
    case 'failed':
      return comesBack;
    default:
      return false;
  }
}
