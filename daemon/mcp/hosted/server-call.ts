// One call of a hosted server's tool, from its arrival to its answer. Progress extends its deadline, up to a bound.
import type { CallProgress } from '../../../protocol/cell/tool-messages.ts';
import { HostError } from '../../../protocol/errors.ts';
import type { Clock, Timer } from '../../time/clock.ts';
import { watchAbort } from '../../tools/abort-watch.ts';
import type { CallWaiter } from '../../tools/pending-call.ts';
import { cancelled } from '../../tools/tool-errors.ts';
import type { OpenServer } from '../mcp-gateway.ts';

export interface ServerCallTerms {
  readonly number: number;
  readonly tool: string;
  readonly inputJson: string;
  readonly callId: string | undefined;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly mostMs: number;
  readonly signal: AbortSignal;
  readonly waiter: CallWaiter;
  /** Comes once, before its waiter is told. */
  over(error: HostError | undefined, tookMs: number, ranMs: number): void;
}

export class ServerCall {
  readonly number: number;
  readonly tool: string;
  readonly inputJson: string;
  readonly callId: string | undefined;
  /** That it is with. */
  server: OpenServer | undefined;
  readonly #terms: ServerCallTerms;
  readonly #arrivedMs: number;
  #beganMs: number | undefined;
  #timer: Timer;
  readonly #unwatch: () => void;
  #over = false;

  constructor(terms: ServerCallTerms) {
    const { number, tool, inputJson, callId, clock, timeoutMs, signal } = terms;
    this.number = number;
    this.tool = tool;
    this.inputJson = inputJson;
    this.callId = callId;
    this.#terms = terms;
    this.#arrivedMs = clock.monotonicMs();
    this.#timer = clock.after(timeoutMs, () => this.#timeOut());
    this.#unwatch = watchAbort(signal, { aborted: () => this.cancel(signal.reason) });
  }

  begin(server: OpenServer): void {
    this.server = server;
    this.#beganMs = this.#terms.clock.monotonicMs();
  }

  succeed(outputJson: string): void {
    const { clock, waiter } = this.#terms;
    const durationMs = clock.monotonicMs() - (this.#beganMs ?? this.#arrivedMs);
    if (this.#close(undefined)) waiter.succeeded({ outputJson, durationMs });
  }

  fail(error: HostError): void {
    if (this.#close(error)) this.#terms.waiter.failed(error);
  }

  cancel(reason: unknown): void {
    this.fail(cancelled({ toolName: this.tool, ...this.#at() }, reason));
  }

  progressed(progress: CallProgress): void {
    if (this.#over) return;
    const { clock, timeoutMs, mostMs, waiter } = this.#terms;
    const leftMs = mostMs - (clock.monotonicMs() - this.#arrivedMs);
    this.#timer.cancel();
    this.#timer = clock.after(Math.max(0, Math.min(timeoutMs, leftMs)), () => this.#timeOut());
    waiter.progressed?.(progress);
  }

  #timeOut(): void {
    const { phase, waitedMs } = this.#at();
    const tookMs = Math.round(this.#terms.clock.monotonicMs() - this.#arrivedMs);
    const where = phase === 'queued' ? 'it was waiting for the MCP server' : 'the MCP server had not answered';
    this.fail(
      new HostError('tool_timeout', `The call of "${this.tool}" took longer than ${String(tookMs)} ms; ${where}.`, {
        tool: this.tool,
        timeoutMs: this.#terms.timeoutMs,
        phase,
        waitedMs,
      }),
    );
  }

  #at(): { readonly phase: 'queued' | 'running'; readonly waitedMs: number } {
    const untilMs = this.#beganMs ?? this.#terms.clock.monotonicMs();
    return {
      phase: this.#beganMs === undefined ? 'queued' : 'running',
      waitedMs: Math.round(untilMs - this.#arrivedMs),
    };
  }

  /** False where it was answered already. */
  #close(error: HostError | undefined): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#timer.cancel();
    this.#unwatch();
    const nowMs = this.#terms.clock.monotonicMs();
    this.#terms.over(error, nowMs - this.#arrivedMs, nowMs - (this.#beganMs ?? nowMs));
    return true;
  }
}
