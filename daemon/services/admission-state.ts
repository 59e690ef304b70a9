// What admission has to know of the service's state. The state pushes it with every change, so that nothing is asked
// for an event.
import type { Lifecycle } from '../../protocol/status.ts';

export interface AdmissionState {
  readonly lifecycle: Lifecycle;
  /** Events are queued. */
  readonly accepts: boolean;
  /** The first open event counts as in flight, whether or not the cell has it yet. */
  readonly dispatches: boolean;
  /** Why the supervisor gave the service up. */
  readonly gaveUp: string | undefined;
  /** The incarnation that lives, or lived last. */
  readonly incarnation: number;
}

export const neverStarted: AdmissionState = {
  lifecycle: 'ready',
  accepts: false,
  dispatches: false,
  gaveUp: undefined,
  incarnation: 0,
};
