// What "fresh" and "process" have in common: every call has a cell of its own. A cell that the host ends belongs to no
// other call, and a spare one may be started before the next call comes.
import type { ToolTask } from '../../../protocol/cell/tool-messages.ts';
import type { Timer } from '../../time/clock.ts';
import { LivingCells } from './living-cells.ts';
import { type LoneCell, type LoneCellOwner, LoneRun, type LoneRunParts } from './lone-run.ts';
import type { PoolListener, PoolRun, PoolSpec, RunListener, ToolPool } from './tool-pool.ts';

export interface LonePoolKind {
  /** Throws where no cell can be made. */
  start(owner: LoneCellOwner, living: LivingCells): LoneCell;
  /** While calls come, one cell is kept ready for the next one. */
  readonly keepsSpare: boolean;
}

export class LonePool implements ToolPool {
  readonly callsAtOnce = 1;
  readonly #spec: PoolSpec;
  readonly #kind: LonePoolKind;
  readonly #living: LivingCells;
  readonly #parts: LoneRunParts;
  /** Those that have a call. */
  readonly #runs = new Set<LoneRun>();
  #spare: { readonly run: LoneRun; readonly idle: Timer } | undefined;
  #closed = false;

  constructor(spec: PoolSpec, listener: PoolListener, kind: LonePoolKind) {
    this.#spec = spec;
    this.#kind = kind;
    this.#living = new LivingCells({
      clock: spec.clock,
      killMs: spec.limits.killMs,
      troubled: (error) => listener.troubled(error),
      gone: (leftBehind) => listener.gone(leftBehind),
    });
    this.#parts = {
      began: () => this.#keepSpare(),
      unfit: (run) => this.#drop(run),
      ended: (run) => {
        this.#drop(run);
        this.#runs.delete(run);
      },
      troubled: (error) => listener.troubled(error),
    };
  }

  get cells(): number {
    return this.#living.size;
  }

  get leftBehind(): number {
    return this.#living.leftBehind;
  }

  /** The spare one is beyond what calls may use. */
  get livingCells(): number {
    return this.#living.size - (this.#spare === undefined ? 0 : 1);
  }

  run([task]: readonly ToolTask[], listener: RunListener): PoolRun {
    if (task === undefined) throw new Error('a run has a call');
    const run = this.#takeSpare() ?? this.#start();
    this.#runs.add(run);
    run.give(task, listener);
    return run;
  }

  async close(deadlineMs: number): Promise<void> {
    this.#closed = true;
    this.#takeSpare()?.kill();
    for (const run of this.#runs) run.kill();
    await this.#living.allGone(deadlineMs);
  }

  #start(): LoneRun {
    return new LoneRun((owner) => this.#kind.start(owner, this.#living), this.#parts);
  }

  /** When a call has begun, so that the spare cell's start does not compete with that of the call's own. */
  #keepSpare(): void {
    if (!this.#kind.keepsSpare || this.#closed || this.#spare !== undefined) return;
    const run = this.#start();
    this.#spare = { run, idle: this.#spec.clock.after(this.#spec.limits.toolIdleMs, () => run.kill()) };
  }

  #takeSpare(): LoneRun | undefined {
    const spare = this.#spare;
    this.#spare = undefined;
    spare?.idle.cancel();
    return spare?.run;
  }

  #drop(run: LoneRun): void {
    if (this.#spare?.run === run) this.#takeSpare();
  }
}
