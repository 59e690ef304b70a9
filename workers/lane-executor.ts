// Executes the batches of a lane strictly one event after the other, and keeps the progress register true: what the
// host reads there decides deadlines and blame. A result that somebody waits for, or a failure, is posted before the
// register says done, so that a cell's end can never hide it.
import type { IngressEvent } from '../protocol/event.ts';
import { BatchEvents } from '../protocol/cell/batch.ts';
import type { BatchMessage, EventFailure, EventOutput, HaltedMessage, ResultsMessage } from '../protocol/cell/messages.ts';
import { flattenError } from '../protocol/cell/plain-error.ts';
import { type ProgressRegister, monotonicMs } from '../protocol/cell/register.ts';
import type { Issue } from '../protocol/errors.ts';
import { captured, parseJson, stringifyJson } from './primitives.ts';

export interface LaneHandler {
  handle(event: IngressEvent): unknown;
  /** Faults of the payload by the ingress's schema. */
  payloadIssues(event: IngressEvent): readonly Issue[];
}

/** Uncounted successes wait no longer than this for company. */
const flushEvery = 16;
const flushMs = 1;

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';

type Ended = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly thrown: unknown };

export class LaneExecutor {
  readonly #register: ProgressRegister;
  readonly #post: (message: ResultsMessage | HaltedMessage) => void;
  readonly #handler: LaneHandler;
  readonly #maxOutputBytes: number;
  readonly #batches: BatchMessage[] = [];
  #busy = false;
  #unflushed = 0;
  #through = 0;
  #flushedAtMs = 0;
  #flushPending = false;

  constructor(register: ProgressRegister, post: (message: ResultsMessage | HaltedMessage) => void, handler: LaneHandler, maxOutputBytes: number) {
    this.#register = register;
    this.#post = post;
    this.#handler = handler;
    this.#maxOutputBytes = maxOutputBytes;
  }

  push(batch: BatchMessage): void {
    this.#batches.push(batch);
    if (!this.#busy) void this.#run();
  }

  /** Never rejects: whatever an event throws is its result. */
  async #run(): Promise<void> {
    this.#busy = true;
    for (let batch = this.#batches.shift(); batch !== undefined; batch = this.#batches.shift()) {
      const goOn = await this.#runBatch(batch);
      this.#flush();
      if (!goOn) {
        this.#batches.length = 0;
        break;
      }
    }
    this.#busy = false;
  }

  /** False when the cell is to begin no further event. */
  async #runBatch(batch: BatchMessage): Promise<boolean> {
    // The host made this text from events it had checked.
    const events = new BatchEvents(parseJson(batch.json));
    let nextAwaited = 0;
    for (let offset = 0; offset < batch.count; offset += 1) {
      if (this.#register.halted) {
        this.#flush();
        this.#post({ type: 'halted', through: this.#through });
        return false;
      }
      const sequence = batch.first + offset;
      const event = events.next();
      const awaited = batch.awaited[nextAwaited] === offset;
      if (awaited) nextAwaited += 1;
      const beganMs = monotonicMs();
      if (!this.#register.begin(sequence, beganMs)) return false;
      const issues = this.#handler.payloadIssues(event);
      let ended: Ended = { ok: true, value: undefined };
      if (issues.length === 0) {
        const running = this.#begin(event);
        ended = isThenable(running) ? await running : running;
      }
      const endedMs = monotonicMs();
      const durationMs = endedMs - beganMs;
      this.#register.handleTimes.record(durationMs);
      this.#through = sequence;
      if (issues.length > 0) this.#report(sequence, [invalidPayload(sequence, issues, durationMs)], []);
      else if (!ended.ok) this.#report(sequence, [failure(sequence, ended.thrown, durationMs)], []);
      else if (awaited) this.#reportOutput(sequence, ended.value, durationMs);
      else this.#unflushed += 1;
      if (!this.#register.finish(sequence, endedMs)) return false;
      if (this.#unflushed >= flushEvery || endedMs - this.#flushedAtMs >= flushMs) this.#flush(endedMs);
    }
    return true;
  }

  /** A handler that answers at once costs no promise; one that waits first lets earlier results go out. */
  #begin(event: IngressEvent): Ended | Promise<Ended> {
    try {
      const value = this.#handler.handle(event);
      if (!isThenable(value)) return { ok: true, value };
      this.#flushSoon();
      return settle(value);
    } catch (thrown) {
      return { ok: false, thrown };
    }
  }

  #reportOutput(sequence: number, value: unknown, durationMs: number): void {
    const made = outputOf(value, this.#maxOutputBytes);
    if (made.ok) this.#report(sequence, [], [{ sequence, json: made.json, durationMs }]);
    else this.#report(sequence, [failure(sequence, new Error(made.reason), durationMs)], []);
  }

  #report(through: number, failures: readonly EventFailure[], outputs: readonly EventOutput[]): void {
    this.#post({ type: 'results', through, failures, outputs });
    this.#unflushed = 0;
    this.#flushedAtMs = monotonicMs();
  }

  #flush(atMs: number = monotonicMs()): void {
    if (this.#unflushed === 0) return;
    this.#post({ type: 'results', through: this.#through, failures: [], outputs: [] });
    this.#unflushed = 0;
    this.#flushedAtMs = atMs;
  }

  /** Runs only when the event loop turns, so a row of handlers that never really wait does not pay for it. */
  #flushSoon(): void {
    if (this.#unflushed === 0 || this.#flushPending) return;
    this.#flushPending = true;
    captured.setImmediate(() => {
      this.#flushPending = false;
      this.#flush();
    });
  }
}

async function settle(value: PromiseLike<unknown>): Promise<Ended> {
  try {
    return { ok: true, value: await value };
  } catch (thrown) {
    return { ok: false, thrown };
  }
}

function failure(sequence: number, thrown: unknown, durationMs: number): EventFailure {
  return { sequence, code: 'dispatch_failed', error: flattenError(thrown), durationMs };
}

function invalidPayload(sequence: number, issues: readonly Issue[], durationMs: number): EventFailure {
  const first = issues[0];
  const where = first === undefined || first.path === '' ? '' : `.${first.path}`;
  const error = { name: 'InvalidPayload', message: `payload${where} ${first?.message ?? 'does not fit'}` };
  return { sequence, code: 'invalid_event', error, issues: issues.map(({ path, message }) => ({ path: path === '' ? 'payload' : `payload.${path}`, message })), durationMs };
}

/** A handler's answer as JSON text, made here so that what cannot be sent never reaches the host. */
export function outputOf(value: unknown, maxBytes: number): { readonly ok: true; readonly json: string } | { readonly ok: false; readonly reason: string } {
  let json: string | undefined;
  try {
    json = value === undefined ? 'null' : stringifyJson(value);
  } catch (thrown) {
    return { ok: false, reason: `the output is not JSON: ${flattenError(thrown).message}` };
  }
  if (json === undefined) return { ok: false, reason: `the output is not JSON: it is a ${typeof value}` };
  const bytes = captured.byteLength(json);
  if (bytes > maxBytes) return { ok: false, reason: `the output has ${String(bytes)} bytes of JSON; at most ${String(maxBytes)} are allowed` };
  return { ok: true, json };
}
