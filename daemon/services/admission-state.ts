// A service's state as its intake needs it: looked up when it is asked, which is for every event, so that no object is
// made for that.
import type { Lifecycle } from '../../protocol/status.ts';
import type { AdmissionState } from './intake.ts';
import { dispatches } from './lifecycle.ts';
import type { Pacer } from '../dispatch/pacer.ts';
import type { ServiceController } from './service-controller.ts';

/** For advice to callers before the first event has told. */
const unknownEventMs = 100;

export class ServiceAdmissionState implements AdmissionState {
  readonly #life: () => ServiceController;
  readonly #queued: () => number;
  readonly #pacer: () => Pacer;

  constructor(life: () => ServiceController, queued: () => number, pacer: () => Pacer) {
    this.#life = life;
    this.#queued = queued;
    this.#pacer = pacer;
  }

  get lifecycle(): Lifecycle {
    return this.#life().state.lifecycle;
  }

  get comesBack(): boolean {
    return this.#life().state.comesBack;
  }

  get gaveUp(): string | undefined {
    return this.#life().state.supervisor.gaveUp;
  }

  get incarnation(): number {
    return this.#life().incarnation;
  }

  /** In a running service the first open event is the one in flight, whether or not the cell has it yet. */
  get depth(): number {
    const { live, state } = this.#life();
    const open = this.#queued() + (live?.lane.inFlight ?? 0);
    return dispatches(state.lifecycle) ? Math.max(0, open - 1) : open;
  }

  get eventMs(): number {
    return this.#pacer().eventMs ?? unknownEventMs;
  }
}
