// Executes the batches of a lane strictly one event after the other, and keeps the progress register true: what the
// host reads there decides deadlines and blame. An answer that somebody waits for, or a failure, is reported before the
// register says done, so that a cell's end can never hide it.
import type { IngressEvent } from '../protocol/event.ts';
import { BatchEvents } from '../protocol/cell/batch.ts';
import type { BatchMessage, EventFailure } from '../protocol/cell/messages.ts';
import type { EffectsOfEvent } from '../protocol/cell/effects.ts';
import { flattenError } from '../protocol/cell/plain-error.ts';
import { type ProgressRegister, monotonicMs } from '../protocol/cell/register.ts';
import { type Issue, issueText } from '../protocol/errors.ts';
import type { LaneReports } from './lane-reports.ts';
import { captured, parseJson, stringifyJson } from './primitives.ts';
import { retryWishOf } from './retry-wishes.ts';

export interface LaneExecutorOptions {
  readonly maxOutputBytes: number;
  /**
   * After an event that failed and that nobody waits for, nothing begins before the host sends a batch that resumes.
   */
  readonly pausesOnFailure: boolean;
}

export interface LaneHandler {
  handle(event: IngressEvent, partition: number | undefined): unknown;
  /** Faults of the payload by the ingress's schema. */
  payloadIssues(event: IngressEvent): readonly Issue[];
  /** What the event that was handled last has changed so far; undefined where that is nothing. */
  changes(): EffectsOfEvent | undefined;
  /** Its outcome is known: what it has changed is kept, or forgotten if it failed. */
  settle(handled: boolean): void;
}

/** Successes that nobody waits for are told of when a batch ends, and at the latest after this. */
const tellMs = 1;

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';

type Ended = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly thrown: unknown };

export class LaneExecutor {
  readonly #register: ProgressRegister;
  readonly #reports: LaneReports;
  readonly #handler: LaneHandler;
  readonly #options: LaneExecutorOptions;
  readonly #batches: BatchMessage[] = [];
  #busy = false;
  #paused = false;
  /** Events that have ended since the host was last told. */
  #untold = 0;
  #through = 0;
  #toldAtMs = 0;
  #tellPending = false;
  /** The handler of the current event has begun something and waits for it. */
  #waiting = false;
  #othersWait = false;

  constructor(register: ProgressRegister, reports: LaneReports, handler: LaneHandler, options: LaneExecutorOptions) {
    this.#register = register;
    this.#reports = reports;
    this.#handler = handler;
    this.#options = options;
  }

  push(batch: BatchMessage): void {
    if (batch.outputs !== undefined) this.#reports.layIn?.(batch.outputs);
    if (this.#paused && batch.resumes !== true) return;
    this.#paused = false;
    this.#batches.push(batch);
    if (!this.#busy) void this.#run();
  }

  /** Never rejects: whatever an event throws is its result. */
  async #run(): Promise<void> {
    this.#busy = true;
    for (let batch = this.#batches.shift(); batch !== undefined; batch = this.#batches.shift()) {
      const goOn = await this.#runBatch(batch);
      this.#tell();
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
    this.#othersWait = batch.othersWait === true;
    let nextAwaited = 0;
    for (let offset = 0; offset < batch.count; offset += 1) {
      if (this.#register.halted) {
        this.#tell();
        this.#reports.halted(this.#through);
        return false;
      }
      const sequence = batch.first + offset;
      const event = events.next();
      const awaited = batch.awaited[nextAwaited] === offset;
      if (awaited) nextAwaited += 1;
      if (awaited && !this.#register.take(sequence)) {
        if (!this.#passOver(sequence)) return false;
        continue;
      }
      const beganMs = monotonicMs();
      if (!this.#register.begin(sequence, beganMs)) return false;
      const issues = this.#handler.payloadIssues(event);
      let ended: Ended = { ok: true, value: undefined };
      if (issues.length === 0) {
        const running = this.#begin(event, events.partition);
        if (isThenable(running)) {
          this.#waiting = true;
          ended = await running;
          this.#waiting = false;
        } else {
          ended = running;
        }
      }
      const endedMs = monotonicMs();
      const durationMs = endedMs - beganMs;
      this.#register.handleTimes.record(durationMs);
      this.#through = sequence;
      this.#untold += 1;
      const known =
        issues.length > 0
          ? this.#failed(invalidPayload(sequence, issues, durationMs))
          : this.#reported(sequence, ended, awaited, durationMs);
      if (!this.#register.finish(sequence, endedMs)) return false;
      if (this.#paused) {
        this.#told(endedMs);
        return false;
      }
      if (known) this.#told(endedMs);
      else if (awaited || endedMs - this.#toldAtMs >= tellMs) this.#tell(endedMs);
    }
    return true;
  }

  /** A handler that answers at once costs no promise; one that waits first lets earlier results go out. */
  #begin(event: IngressEvent, partition: number | undefined): Ended | Promise<Ended> {
    try {
      const value = this.#handler.handle(event, partition);
      if (!isThenable(value)) return { ok: true, value };
      this.#tellSoon();
      return settle(value);
    } catch (thrown) {
      return { ok: false, thrown };
    }
  }

  /**
   * The caller of this event has gone, and the host has taken it back. False when the cell is to begin no further
   * event.
   */
  #passOver(sequence: number): boolean {
    if (!this.#register.finish(sequence, monotonicMs())) return false;
    this.#through = sequence;
    this.#untold += 1;
    return true;
  }

  /** Whether the host knows of it. */
  #reported(sequence: number, ended: Ended, awaited: boolean, durationMs: number): boolean {
    if (!ended.ok) return this.#threw(failure(sequence, ended.thrown, durationMs), awaited);
    if (awaited) return this.#answered(sequence, ended.value, durationMs);
    try {
      this.#postChanges(sequence);
    } catch (thrown) {
      return this.#failed(failure(sequence, thrown, durationMs));
    }
    this.#handler.settle(true);
    return false;
  }

  /** Before anything else that says that the event was handled. */
  #postChanges(sequence: number): void {
    const changes = this.#handler.changes();
    if (changes !== undefined) this.#reports.effects({ sequence, ...changes });
  }

  #threw(event: EventFailure, awaited: boolean): true {
    if (awaited || !this.#options.pausesOnFailure || event.permanent === true) return this.#failed(event);
    this.#paused = true;
    return this.#failed({ ...event, paused: true });
  }

  #failed(event: EventFailure): true {
    this.#handler.settle(false);
    this.#reports.failed(event);
    return true;
  }

  /** Whether the host knows of it. */
  #answered(sequence: number, value: unknown, durationMs: number): boolean {
    const made = outputOf(value, this.#options.maxOutputBytes);
    if (!made.ok) return this.#failed(failure(sequence, new Error(made.reason), durationMs));
    try {
      this.#postChanges(sequence);
      const known = this.#reports.answered({ sequence, json: made.json, durationMs }, made.bytes);
      this.#handler.settle(true);
      return known;
    } catch (thrown) {
      // No memory for it, or the plugin has spoilt what Node writes with. Of what fails the host keeps no changes.
      return this.#failed(failure(sequence, thrown, durationMs));
    }
  }

  #tell(atMs: number = monotonicMs()): void {
    if (this.#untold === 0) return;
    this.#reports.tell(this.#through);
    this.#told(atMs);
  }

  #told(atMs: number): void {
    this.#untold = 0;
    this.#toldAtMs = atMs;
  }

  /** Runs only when the event loop turns, so a row of handlers that never really wait does not pay for it. */
  #tellSoon(): void {
    if ((this.#untold === 0 && !this.#othersWait) || this.#tellPending) return;
    this.#tellPending = true;
    captured.setImmediate(() => {
      this.#tellPending = false;
      if (this.#untold > 0) this.#tell();
      else if (this.#waiting && this.#othersWait) this.#reports.tell(this.#through);
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
  return { sequence, code: 'dispatch_failed', error: flattenError(thrown), durationMs, ...retryWishOf(thrown) };
}

function invalidPayload(sequence: number, issues: readonly Issue[], durationMs: number): EventFailure {
  const placed = issues.map(({ path, message }) => ({
    path: path === '' || path.startsWith('[') ? `payload${path}` : `payload.${path}`,
    message,
  }));
  const [first] = placed;
  const error = { name: 'InvalidPayload', message: first === undefined ? 'payload does not fit' : issueText(first) };
  return { sequence, code: 'payload_invalid', error, issues: placed, durationMs };
}

/** A handler's answer as JSON text, made here so that what cannot be sent never reaches the host. */
export function outputOf(
  value: unknown,
  maxBytes: number,
):
  | { readonly ok: true; readonly json: string; readonly bytes: number }
  | { readonly ok: false; readonly reason: string } {
  let json: string | undefined;
  try {
    json = value === undefined ? 'null' : stringifyJson(value);
  } catch (thrown) {
    return { ok: false, reason: `the output is not JSON: ${flattenError(thrown).message}` };
  }
  if (json === undefined) return { ok: false, reason: `the output is not JSON: it is a ${typeof value}` };
  const bytes = captured.byteLength(json);
  if (bytes > maxBytes)
    return {
      ok: false,
      reason: `the output has ${String(bytes)} bytes of JSON; at most ${String(maxBytes)} are allowed`,
    };
  return { ok: true, json, bytes };
}
