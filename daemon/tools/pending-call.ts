// One call of a tool from its arrival to its answer. It is answered once, at its deadline at the latest; what becomes
// of the cell that still runs it is the lane's business and keeps nobody waiting.
import type { ToolTask } from '../../protocol/cell/tool-messages.ts';
import type { HostError } from '../../protocol/errors.ts';
import type { ToolSection } from '../../protocol/manifest.ts';
import type { Clock, Timer } from '../clock.ts';
import { onAbort } from './abort-watch.ts';
import type { QueuedCall } from './call-queue.ts';
import { type CallAt, cancelled, timedOut } from './tool-errors.ts';
import type { PoolRun } from './tool-pool.ts';

export interface ToolResult {
  /** JSON text made inside the cell; never parsed on the host. */
  readonly outputJson: string;
  /** In its cell, importing and checking included. */
  readonly durationMs: number;
}

export interface PendingCallParts {
  readonly tool: ToolSection;
  readonly task: ToolTask;
  readonly arrival: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  answered(): void;
  resolve(result: ToolResult): void;
  reject(error: HostError): void;
  /** The call was given up while its cell may still run it. */
  givenUp(reason: string): void;
}

export class PendingCall implements QueuedCall {
  readonly task: ToolTask;
  readonly toolName: string;
  readonly arrival: number;
  readonly timeoutMs: number;
  readonly arrivedMs: number;
  /** Where it runs, once it does. */
  run: PoolRun | undefined;
  /** How often it was handed to a pool. */
  runs = 0;
  beganMs: number | undefined;
  readonly #parts: PendingCallParts;
  readonly #deadline: Timer;
  readonly #unwatch: () => void;
  #answered = false;

  constructor(parts: PendingCallParts) {
    this.#parts = parts;
    this.task = parts.task;
    this.toolName = parts.tool.name;
    this.arrival = parts.arrival;
    this.timeoutMs = parts.timeoutMs;
    this.arrivedMs = parts.clock.monotonicMs();
    this.#deadline = parts.clock.after(parts.timeoutMs, () => this.#giveUp(timedOut(this.#at(), parts.timeoutMs)));
    this.#unwatch = onAbort(parts.signal, () => this.#giveUp(cancelled(this.#at(), parts.signal.reason)));
  }

  get answered(): boolean {
    return this.#answered;
  }

  /** When it will have been answered at the latest, on the clock of `monotonicMs`. */
  get deadlineMs(): number {
    return this.arrivedMs + this.timeoutMs;
  }

  succeed(result: ToolResult): void {
    if (this.#close()) this.#parts.resolve(result);
  }

  fail(error: HostError): void {
    if (this.#close()) this.#parts.reject(error);
  }

  /** Answered at once by whoever ends the tools as a whole. */
  cancel(reason: string): void {
    this.#giveUp(cancelled(this.#at(), reason));
  }

  #giveUp(error: HostError): void {
    if (this.#answered) return;
    this.fail(error);
    this.#parts.givenUp(error.message);
  }

  #close(): boolean {
    if (this.#answered) return false;
    this.#answered = true;
    this.#deadline.cancel();
    this.#unwatch();
    this.#parts.answered();
    return true;
  }

  #at(): CallAt {
    const waitedUntilMs = this.run?.beganMs ?? this.#parts.clock.monotonicMs();
    return { toolName: this.toolName, phase: this.run?.phase ?? 'queued', waitedMs: Math.max(0, Math.round(waitedUntilMs - this.arrivedMs)) };
  }
}
