// One call of a tool from its arrival to its answer. It is answered once, at its deadline at the latest; what becomes
// of the cell that still runs it is its owner's business and keeps nobody waiting.
import type { ToolTask } from '../../protocol/cell/tool-messages.ts';
import type { HostError } from '../../protocol/errors.ts';
import { locateMs } from '../cells/stack-capture.ts';
import type { Clock } from '../clock.ts';
import type { Deadline, Deadlines } from '../deadlines.ts';
import { type Abortable, watchAbort } from './abort-watch.ts';
import type { QueuedCall } from './call-queue.ts';
import type { Link } from './chain.ts';
import { type CallAt, cancelled, timedOut } from './tool-errors.ts';
import type { PoolRun } from './tool-pool.ts';

export interface ToolResult {
  /** JSON text made inside the cell; never parsed on the host. */
  readonly outputJson: string;
  /** In its cell, importing and checking included. */
  readonly durationMs: number;
}

export interface CallOwner {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  answered(call: PendingCall, error: HostError | undefined): void;
  /** It was answered without its cell, which may still run it. */
  givenUp(call: PendingCall, reason: string): void;
}

export interface CallTerms {
  readonly task: ToolTask;
  readonly arrival: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export class PendingCall implements QueuedCall, Abortable {
  readonly task: ToolTask;
  readonly arrival: number;
  readonly arrivedMs: number;
  readonly timeoutMs: number;
  readonly result: Promise<ToolResult>;
  place: Link<QueuedCall> | undefined;
  /** Where it runs, once it does. */
  run: PoolRun | undefined;
  /** How often its cell ended before anything had begun there. */
  losses = 0;
  readonly #owner: CallOwner;
  readonly #signal: AbortSignal;
  readonly #deadline: Deadline;
  readonly #unwatch: () => void;
  #resolve!: (result: ToolResult) => void;
  #reject!: (error: HostError) => void;
  #answered = false;

  constructor({ task, arrival, timeoutMs, signal }: CallTerms, owner: CallOwner) {
    this.task = task;
    this.arrival = arrival;
    this.timeoutMs = timeoutMs;
    this.arrivedMs = owner.clock.monotonicMs();
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#owner = owner;
    this.#signal = signal;
    this.#deadline = owner.deadlines.set(this.arrivedMs, timeoutMs, () => void this.#timeOut());
    this.#unwatch = watchAbort(signal, this);
  }

  get toolName(): string {
    return this.task.tool;
  }

  get answered(): boolean {
    return this.#answered;
  }

  /** When it will have been answered at the latest, on the clock of `monotonicMs`. */
  get deadlineMs(): number {
    return this.arrivedMs + this.timeoutMs;
  }

  succeed(result: ToolResult): void {
    if (this.#close(undefined)) this.#resolve(result);
  }

  fail(error: HostError): void {
    if (this.#close(error)) this.#reject(error);
  }

  /** Answered at once by whoever ends the tools as a whole. */
  cancel(reason: unknown): void {
    this.#giveUp(cancelled(this.#at(), reason));
  }

  aborted(): void {
    this.cancel(this.#signal.reason);
  }

  /** Where the tool is stands in the answer; what it answers itself meanwhile counts. */
  async #timeOut(): Promise<void> {
    // It may have answered in time and not be heard yet.
    this.run?.collect();
    if (this.#answered) return;
    const at = this.#at();
    const where = at.phase === 'queued' ? undefined : await this.run?.locate(this.task.call, locateMs);
    this.#giveUp(timedOut(at, this.timeoutMs, where));
  }

  #giveUp(error: HostError): void {
    if (this.#answered) return;
    this.fail(error);
    this.#owner.givenUp(this, error.message);
  }

  #close(error: HostError | undefined): boolean {
    if (this.#answered) return false;
    this.#answered = true;
    this.#owner.deadlines.lift(this.#deadline);
    this.#unwatch();
    this.#owner.answered(this, error);
    return true;
  }

  #at(): CallAt {
    const { call } = this.task;
    const waitedUntilMs = this.run?.beganMsOf(call) ?? this.#owner.clock.monotonicMs();
    return { toolName: this.toolName, phase: this.run?.phaseOf(call) ?? 'queued', waitedMs: Math.max(0, Math.round(waitedUntilMs - this.arrivedMs)) };
  }
}
