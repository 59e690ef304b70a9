// One call of a tool from its arrival to its answer. It is answered once, at its deadline at the latest; what becomes
// of the cell that still runs it is its owner's business and keeps nobody waiting.
import type { CallProgress, ToolTask } from '../../protocol/cell/tool-messages.ts';
import { HostError } from '../../protocol/errors.ts';
import type { ToolIsolation } from '../../protocol/manifest.ts';
import { locateMs } from '../isolates/stack-capture.ts';
import type { Clock } from '../time/clock.ts';
import type { Deadline, Deadlines } from '../time/deadlines.ts';
import { type Abortable, watchAbort } from './abort-watch.ts';
import type { AnsweredCall } from './answered-calls.ts';
import type { QueuedCall } from './call-queue.ts';
import type { Link } from './chain.ts';
import { type CallAt, cancelled, notStarted, timedOut } from './tool-errors.ts';
import type { PoolRun } from './pools/tool-pool.ts';

export interface ToolResult {
  /** JSON text made inside the cell; never parsed on the host. */
  readonly outputJson: string;
  /** In its cell, importing and checking included. */
  readonly durationMs: number;
}

/** Whoever made the call; hears of its end once. */
export interface CallWaiter {
  succeeded(result: ToolResult): void;
  failed(error: HostError): void;
  /** The tool has told how far it has come; left out by those who do not want to know. */
  readonly progressed?: ((progress: CallProgress) => void) | undefined;
}

export interface CallOwner {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly isolation: ToolIsolation;
  /** What a cell may take to start. */
  readonly startMs: number;
  /** The waiter is to be told. */
  answered(call: PendingCall, outcome: ToolResult | HostError): void;
  /** It was answered without its cell, which may still run it. */
  givenUp(call: PendingCall, reason: string): void;
}

export interface CallTerms {
  readonly task: ToolTask;
  readonly arrival: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly waiter: CallWaiter;
}

/** A call whose own time is nearly used up is not looked at more often than this while its cell starts. */
const leastLookMs = 5;

export class PendingCall implements QueuedCall, Abortable, AnsweredCall {
  readonly task: ToolTask;
  readonly arrival: number;
  readonly arrivedMs: number;
  readonly timeoutMs: number;
  place: Link<QueuedCall> | undefined;
  /** Where it runs, once it does. */
  run: PoolRun | undefined;
  /** How often its cell ended before anything had begun there. */
  losses = 0;
  readonly #owner: CallOwner;
  readonly #signal: AbortSignal;
  #deadline: Deadline;
  /** Since when a cell is being started for it, or runs it. */
  #handedOverMs: number | undefined;
  /** What earlier cells took to start, which then did not run it. */
  #startingMs = 0;
  readonly #unwatch: () => void;
  readonly #waiter: CallWaiter;
  #outcome: ToolResult | HostError | undefined;

  constructor({ task, arrival, timeoutMs, signal, waiter }: CallTerms, owner: CallOwner) {
    this.task = task;
    this.arrival = arrival;
    this.timeoutMs = timeoutMs;
    this.arrivedMs = owner.clock.monotonicMs();
    this.#owner = owner;
    this.#signal = signal;
    this.#waiter = waiter;
    this.#deadline = owner.deadlines.set(this.arrivedMs, Math.min(timeoutMs, owner.startMs), () => this.#look());
    this.#unwatch = watchAbort(signal, this);
  }

  get toolName(): string {
    return this.task.tool;
  }

  get answered(): boolean {
    return this.#outcome !== undefined;
  }

  /** When it will have been answered at the latest, on the clock of `monotonicMs`. */
  get deadlineMs(): number {
    return this.arrivedMs + this.timeoutMs;
  }

  /** From here on it waits for its cell to start, and its own time stands still until that has begun. */
  handOver(atMs: number): void {
    this.#handedOverMs ??= atMs;
  }

  /** It waits for a cell again. */
  comeBack(atMs: number): void {
    this.#startingMs = this.#startMs(atMs);
    this.#handedOverMs = undefined;
    this.run = undefined;
  }

  progressed(progress: CallProgress): void {
    if (!this.answered) this.#waiter.progressed?.(progress);
  }

  succeed(result: ToolResult): void {
    this.#close(result);
  }

  fail(error: HostError): void {
    this.#close(error);
  }

  /** Of its answer, once it has one. */
  tell(): void {
    if (this.#outcome instanceof HostError) this.#waiter.failed(this.#outcome);
    else if (this.#outcome !== undefined) this.#waiter.succeeded(this.#outcome);
  }

  /** Answered at once by whoever ends the tools as a whole. */
  cancel(reason: unknown): void {
    this.#giveUp(cancelled(this.#at(), reason));
  }

  aborted(): void {
    this.cancel(this.#signal.reason);
  }

  /** At the earliest time at which one of its bounds could be reached. */
  #look(): void {
    // It may have answered in time and not be heard yet.
    this.run?.shared?.collect();
    if (this.answered) return;
    const { clock, deadlines, isolation, startMs } = this.#owner;
    const nowMs = clock.monotonicMs();
    const startedForMs = this.#startMs(nowMs);
    const leftMs = this.timeoutMs - (nowMs - this.arrivedMs - startedForMs);
    let nextMs = leftMs;
    if (this.#starting) {
      if (startedForMs >= startMs) {
        this.#giveUp(notStarted(this.#at(), { isolation, startMs }));
        return;
      }
      nextMs = Math.min(startMs - startedForMs, Math.max(leftMs, leastLookMs));
    } else if (leftMs <= 0) {
      void this.#timeOut();
      return;
    }
    this.#deadline = deadlines.set(nowMs, Math.min(nextMs, startMs), () => this.#look());
  }

  get #starting(): boolean {
    return this.#handedOverMs !== undefined && this.run?.startedMs === undefined;
  }

  /** How long cells have been starting for it. */
  #startMs(nowMs: number): number {
    if (this.#handedOverMs === undefined) return this.#startingMs;
    const startedMs = this.run?.startedMs;
    const untilMs = startedMs === undefined ? nowMs : this.#owner.clock.fromCellMs(startedMs);
    return this.#startingMs + Math.max(0, untilMs - this.#handedOverMs);
  }

  /** Where the tool is stands in the answer; what it answers itself meanwhile counts. */
  async #timeOut(): Promise<void> {
    const at = this.#at();
    const where = at.phase === 'queued' ? undefined : await this.run?.locate(this.task.call, locateMs);
    this.#giveUp(timedOut(at, this.timeoutMs, where));
  }

  #giveUp(error: HostError): void {
    if (this.answered) return;
    this.fail(error);
    this.#owner.givenUp(this, error.message);
  }

  #close(outcome: ToolResult | HostError): void {
    if (this.answered) return;
    this.#outcome = outcome;
    this.#owner.deadlines.lift(this.#deadline);
    this.#unwatch();
    this.#owner.answered(this, outcome);
  }

  #at(): CallAt {
    const { call } = this.task;
    const { clock } = this.#owner;
    const beganMs = this.run?.beganMsOf(call);
    const waitedUntilMs = beganMs === undefined ? clock.monotonicMs() : clock.fromCellMs(beganMs);
    return {
      toolName: this.toolName,
      phase: this.run?.phaseOf(call) ?? (this.#handedOverMs === undefined ? 'queued' : 'starting'),
      waitedMs: Math.max(0, Math.round(waitedUntilMs - this.arrivedMs)),
    };
  }
}
