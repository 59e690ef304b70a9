// The tools of one plugin that a reload has replaced: their pending calls end as they began, then their cells are
// ended. Cells that do not end are counted until they are gone.
import type { Clock } from '../time/clock.ts';
import type { RunningTools } from './running-tools.ts';

/** Every call has a deadline, so this ends. */
const lookMs = 200;

export class RetiringTools {
  readonly #retiring = new Set<RunningTools>();
  readonly #clock: Clock;
  readonly #killMs: number;

  constructor(clock: Clock, killMs: number) {
    this.#clock = clock;
    this.#killMs = killMs;
  }

  *[Symbol.iterator](): Generator<RunningTools, void> {
    yield* this.#retiring;
  }

  add(tools: RunningTools): void {
    this.#retiring.add(tools);
    const look = (): void => {
      if (tools.pending > 0) this.#clock.after(lookMs, look);
      else void tools.close(this.#killMs).then(() => this.forgetEnded());
    };
    look();
  }

  /** Drops those that have nothing left. */
  forgetEnded(): void {
    for (const tools of this.#retiring) if (tools.pending === 0 && tools.threads === 0) this.#retiring.delete(tools);
  }
}
