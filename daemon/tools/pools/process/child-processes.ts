// "process": a child process of its own for every call, started by tinypool. It is ended with SIGKILL, not asked: a
// plugin may catch SIGTERM, and what it started itself must not survive it either.
import type { Tinypool, TinypoolChannel } from 'tinypool';
import { monotonicMs } from '../../../../protocol/cell/register.ts';
import { flattenError } from '../../../../protocol/cell/plain-error.ts';
import type { AbortCallMessage, CellPhase, ToolTask } from '../../../../protocol/cell/tool-messages.ts';
import { withWatchdog } from '../../../isolates/permissions.ts';
import type { Whereabouts } from '../../../isolates/whereabouts.ts';
import type { LivingCells } from '../living-cells.ts';
import { LonePool } from '../lone-pool.ts';
import type { LoneCell, LoneCellOwner } from '../lone-run.ts';
import { TinypoolCell, type TinypoolOptions } from '../tinypool-cell.ts';
import { isToolCellMessage } from '../tool-message.ts';
import type { PoolListener, PoolSpec, ToolPool } from '../tool-pool.ts';
import { ChildCell } from './child-cell.ts';

export async function childProcesses(spec: PoolSpec, listener: PoolListener): Promise<ToolPool> {
  const { Tinypool } = await import('tinypool');
  const options: TinypoolOptions = {
    runtime: 'child_process',
    serialization: 'advanced',
    argv: [],
    // In a process of its own the heap's bound is hard: running out of memory ends that process alone.
    execArgv: [`--max-old-space-size=${String(spec.cell.heapMb)}`, ...withWatchdog(spec.execArgv)],
    env: { ...spec.env },
  };
  return new LonePool(spec, listener, {
    keepsSpare: true,
    start: (owner, living) => new ProcessCell({ Tinypool, options, spec, listener, living }, owner),
  });
}

interface ProcessCellParts {
  readonly Tinypool: typeof Tinypool;
  readonly options: TinypoolOptions;
  readonly spec: PoolSpec;
  readonly listener: PoolListener;
  readonly living: LivingCells;
}

/** It is also the channel by which tinypool passes on what the process says. */
class ProcessCell implements LoneCell, TinypoolChannel {
  readonly #owner: LoneCellOwner;
  readonly #listener: PoolListener;
  readonly #living: LivingCells;
  readonly #cell: TinypoolCell;
  readonly #child: ChildCell | undefined;
  #send: ((message: AbortCallMessage) => void) | undefined;
  #phase: CellPhase | undefined;
  #beganMs: number | undefined;
  #ended = false;

  constructor({ Tinypool, options, spec, listener, living }: ProcessCellParts, owner: LoneCellOwner) {
    this.#owner = owner;
    this.#listener = listener;
    this.#living = living;
    // It gets its options by message: a command line and an environment are for everybody to read.
    this.#cell = new TinypoolCell(Tinypool, options, {
      preparation: { prepare: 'process', options: spec.cell },
      channel: this,
      failed: (thrown) => void this.#failed(thrown),
    });
    const { worker } = this.#cell;
    // Now, before any of its output can reach the daemon's.
    if (worker.process?.pid === undefined) return;
    this.#child = new ChildCell(worker.process, spec, (reason, error) => owner.crashed(reason, error));
    living.add(worker, worker.process.pid);
  }

  get phase(): CellPhase | undefined {
    return this.#phase;
  }

  get beganMs(): number | undefined {
    return this.#beganMs;
  }

  take(task: ToolTask): void {
    this.#cell.take(task);
  }

  abort(call: number, reason: string): void {
    this.#send?.({ type: 'abortCall', call, reason });
  }

  locate(withinMs: number): Promise<Whereabouts> {
    return this.#child?.locate(withinMs) ?? Promise.resolve({ kind: 'unknown', frames: [] });
  }

  /** SIGKILL first, so that tinypool's own SIGTERM finds nothing that could still answer to it. */
  end(): void {
    this.#ended = true;
    this.#child?.kill();
    this.#living.expectEnd(this.#cell.worker);
    this.#cell.destroy();
  }

  // What tinypool calls.

  onMessage(send: (message: AbortCallMessage) => void): void {
    this.#send = send;
  }

  postMessage(message: unknown): void {
    if (!isToolCellMessage(message)) return;
    switch (message.type) {
      case 'log':
      case 'logDropped':
        this.#listener.log(message);
        return;
      case 'callProgress':
        this.#owner.progressed(message.call, message.progress);
        return;
      case 'lastAnswer':
        this.#owner.answered(message.call, message.answer);
        return;
      case 'crash':
        this.#owner.crashed(message.reason, message.error);
        return;
      case 'answer':
        // Only pooled threads have it.
        return;
      case 'progress':
        this.#entered(message.phase);
    }
  }

  #entered(phase: CellPhase): void {
    const isFirst = this.#phase === undefined;
    this.#phase = phase;
    if (phase !== 'compiling') this.#beganMs ??= monotonicMs();
    if (isFirst) this.#owner.began();
  }

  /** Its last words may come after its end; without one of them that its call has begun, it has not. */
  async #failed(thrown: unknown): Promise<void> {
    if (this.#ended) return;
    this.#owner.unfit();
    const end = await this.#child?.end();
    this.#owner.failed(
      end === undefined || this.#phase === undefined
        ? { kind: 'lost', error: end?.error ?? flattenError(thrown) }
        : end,
    );
  }
}
