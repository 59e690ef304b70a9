// Watches a thread cell from outside: its memory against its budget, and whether its event loop turns while it has
// nothing to do. The cell's own figures are used while they come; a thread that is too busy to tell them is asked.
import type { Worker } from 'node:worker_threads';
import type { ProgressRegister } from '../../../protocol/cell/register.ts';
import { cellOwner } from '../../isolates/cell-meters.ts';
import { type WatchedCell, cellWatch } from '../../isolates/cell-watch.ts';
import type { CellEnd } from '../cell.ts';
import { type ThreadTimes, threadTimes } from '../../isolates/os-thread.ts';
import { threadInspector } from '../../isolates/thread-inspector.ts';
import { WatchedThread, limitErrors, limitReasons, oversteppedError } from '../../isolates/watched-thread.ts';
import type { Whereabouts } from '../../isolates/whereabouts.ts';
import { awakeTime } from '../../time/awake-time.ts';

export interface VitalsLimits {
  /** The cell's. */
  readonly name: string;
  readonly heapMb: number;
  readonly rssMb: number;
  readonly descriptors: number;
  readonly stalledMs: number;
  readonly spinMs: number;
}

export interface VitalsOwner {
  /** Nobody waits for anything of the cell. */
  idle(): boolean;
  /** The last event it ended, where it has been sent more and begins none of it. */
  stalledAfter(): number | undefined;
  /** Another number as soon as it begins or ends an event; undefined while it is called by the host. */
  progressMark(): number | undefined;
  /** Its thread has computed for long, and got a lower priority. */
  lowered(): void;
  locate(withinMs: number): Promise<Whereabouts>;
  /** The cell is to be ended for this. */
  overstepped(end: CellEnd): void;
}

/** A heap may grow by twenty megabytes meanwhile, and an event may wait. */
const shortWhereMs = 40;
const stalledWhereMs = 250;
/** A look that comes late says nothing of the time between. */
const longestLookMs = 500;
/** Where the operating system does not tell whether a thread had a processor. */
const blindFactor = 3;
const stuckShare = 0.8;

interface Stall {
  readonly after: number;
  readonly ranMs: number | undefined;
}

interface Quiet {
  readonly alive: number;
  readonly times: ThreadTimes | undefined;
  lastedMs: number;
}

export class ThreadVitals implements WatchedCell {
  readonly #register: ProgressRegister;
  readonly #thread: WatchedThread;
  readonly #stalledMs: number;
  readonly #spinMs: number;
  readonly #owner: VitalsOwner;
  #lookedMs = awakeTime.nowMs();
  #confirming = false;
  #quiet: Quiet | undefined;
  #stalledAfter: Stall | undefined;
  #stopped = false;

  constructor(worker: Worker, register: ProgressRegister, limits: VitalsLimits, owner: VitalsOwner) {
    this.#register = register;
    this.#stalledMs = limits.stalledMs;
    this.#spinMs = limits.spinMs;
    this.#owner = owner;
    this.#thread = new WatchedThread(worker, register, limits, cellOwner(limits.name).part, {
      locate: (withinMs) => owner.locate(withinMs),
      overstepped: (limit, what, locate) =>
        void this.#overstepped(limitReasons[limit], limitErrors[limit], what, locate),
    });
    cellWatch.add(this);
  }

  stop(): void {
    this.#stopped = true;
    this.#thread.stop();
    cellWatch.remove(this);
  }

  look(nowMs: number): boolean {
    const sinceMs = nowMs - this.#lookedMs;
    this.#lookedMs = nowMs;
    const loop = this.#thread.look(nowMs);
    if (loop === undefined) {
      this.#quiet = undefined;
      this.#stalledAfter = undefined;
      return false;
    }
    const { idleMs } = loop;
    this.#lookAtLoop(idleMs, Math.min(sinceMs, longestLookMs));
    this.#lookAtStall(idleMs);
    if (this.#thread.lookAtPriority(idleMs > 0 ? undefined : this.#owner.progressMark())) this.#owner.lowered();
    return true;
  }

  // Liveness.

  #lookAtLoop(idleMs: number, sinceMs: number): void {
    const alive = this.#register.aliveCount;
    if (idleMs > 0 || this.#quiet?.alive !== alive || !this.#owner.idle() || threadInspector.isDebugged) {
      this.#quiet = { alive, times: threadTimes(this.#register.osThread), lastedMs: 0 };
      return;
    }
    this.#quiet.lastedMs += sinceMs;
    const { lastedMs } = this.#quiet;
    if (lastedMs < this.#stalledMs || !this.#isStuck(this.#quiet)) return;
    if (!this.#confirming) void this.#endStalled(this.#quiet);
  }

  /** Finding the place takes a moment: a cell whose event loop turned meanwhile was only slow. */
  async #endStalled({ alive, lastedMs }: Quiet): Promise<void> {
    this.#confirming = true;
    const where = await this.#owner.locate(stalledWhereMs);
    this.#confirming = false;
    if (this.#register.aliveCount !== alive || !this.#owner.idle()) return;
    await this.#overstepped(
      'stalled',
      'Stalled',
      `the cell had nothing to do, and its event loop did not turn for ${(lastedMs / 1000).toFixed(1)} s`,
      () => where,
    );
  }

  /**
   * Something else than an event keeps the thread from an event that was sent. Only the processor time of the thread
   * itself is held against it, so that no machine can be too slow for a cell to live.
   */
  #lookAtStall(idleMs: number): void {
    const after = idleMs > 0 || threadInspector.isDebugged ? undefined : this.#owner.stalledAfter();
    if (after === undefined) {
      this.#stalledAfter = undefined;
      return;
    }
    const ranMs = threadTimes(this.#register.osThread)?.ranMs;
    if (this.#stalledAfter?.after !== after) this.#stalledAfter = { after, ranMs };
    const spunMs = ranMs === undefined || this.#stalledAfter.ranMs === undefined ? 0 : ranMs - this.#stalledAfter.ranMs;
    // Sealed, it begins no event any more: none is blamed for this.
    if (spunMs >= this.#spinMs && this.#register.seal(after)) void this.#endSpinning(spunMs);
  }

  async #endSpinning(spunMs: number): Promise<void> {
    await this.#overstepped(
      'stalled',
      'Stalled',
      `the cell began no event although it had some: something outside the handler ran for ${(spunMs / 1000).toFixed(2)} s of processor time`,
      () => this.#owner.locate(shortWhereMs),
    );
  }

  /** A thread that got no processor is not: it has to have run, or to have rested, for most of that time. */
  #isStuck({ times, lastedMs }: Quiet): boolean {
    const now = threadTimes(this.#register.osThread);
    if (times === undefined || now === undefined) return lastedMs >= this.#stalledMs * blindFactor;
    const ranMs = now.ranMs - times.ranMs;
    const restedMs = lastedMs - ranMs - (now.queuedMs - times.queuedMs);
    return Math.max(ranMs, restedMs) >= this.#stalledMs * stuckShare;
  }

  async #overstepped(
    reason: 'heap_limit' | 'descriptor_limit' | 'stalled',
    name: string,
    what: string,
    locate: () => Whereabouts | Promise<Whereabouts>,
  ): Promise<void> {
    if (this.#stopped) return;
    this.stop();
    this.#owner.overstepped({ reason, error: await oversteppedError(name, what, locate), exitCode: null });
  }
}
