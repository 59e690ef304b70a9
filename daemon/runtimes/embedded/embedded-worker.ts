// One worker of the embedded runtime: its inputs wait in order, are given to its program one at a time, and each comes
// to exactly one end in the transcript. Whatever the program does, it only ever costs the input it was given.
import { type ErrorCode, HostError, asHostError, errorKinds } from '../../../protocol/errors.ts';
import {
  type InputAnswer,
  type RuntimeDiagnostic,
  type TranscriptItem,
  type TranscriptPage,
  type WorkerState,
  type WorkerSummary,
  type WorkerView,
  inputKind,
} from '../../../protocol/runtime.ts';
import { plural } from '../../../protocol/plural.ts';
import { type PluginAccount, lossAccount } from '../../files/loss-account.ts';
import type { Clock } from '../../time/clock.ts';
import type { Limits } from '../../config/schema.ts';
import type { Logger } from '../../telemetry/daemon-log.ts';
import { Ring } from '../../telemetry/ring.ts';
import type { HistoryItem, Program, ProgramEnd } from '../programs/program.ts';
import { IdempotencyCache } from '../idempotency-cache.ts';
import type { InputRequest } from '../runtime.ts';
import { Speech } from './speech.ts';
import { type NewItem, Transcript } from './transcript.ts';
import { WorkerEvents } from './worker-events.ts';
import { type WorkerCause, nextWorkerState } from './worker-states.ts';

export interface WorkerBirth {
  readonly runtimeId: string;
  readonly workerId: string;
  readonly displayName: string;
  readonly intent: string;
  readonly profile: string;
}

export interface WorkerDeps {
  readonly clock: Clock;
  readonly limits: Limits;
  readonly log: Pick<Logger, 'warn'>;
  newId(): string;
}

/** An accepted input. */
interface InputInProgress {
  readonly sequence: number;
  readonly eventId: string;
  readonly kind: 'user' | 'system';
  readonly content: string;
  readonly createdAt: string;
}

interface RunningTurn extends InputInProgress {
  readonly speech: Speech;
  readonly beganMs: number;
  cancelling: boolean;
}

export const workerCapabilities = {
  canSendInput: true,
  canStopWorker: true,
  canCancelWorker: true,
  canReadTranscript: true,
  canStreamEvents: true,
} as const;

const snapshotBounds = { items: 50, bytes: 256 * 1024 };
/** For advice to callers before the first input has told. */
const unknownTurnMs = 1000;
const longestAdviceMs = 60_000;

export class EmbeddedWorker {
  readonly birth: WorkerBirth;
  readonly events: WorkerEvents;
  readonly #deps: WorkerDeps;
  readonly #program: Program;
  readonly #transcript: Transcript;
  readonly #answered: IdempotencyCache<InputAnswer>;
  readonly #diagnostics: Ring<RuntimeDiagnostic>;
  readonly #createdAt: string;
  readonly #account: PluginAccount;
  #pending: InputInProgress[] = [];
  #running: RunningTurn | undefined;
  /** The input that ended last. */
  #ran: { readonly eventId: string; readonly beganMs: number; readonly endedMs: number } | undefined;
  #state: WorkerState = 'idle';
  #lastActiveAt: string;
  #turnMs = unknownTurnMs;
  #pumpSoon = false;
  #closing: Promise<void> | undefined;

  constructor(birth: WorkerBirth, program: Program, deps: WorkerDeps) {
    const { limits, clock } = deps;
    this.birth = birth;
    this.#account = lossAccount.of(birth.profile);
    this.#program = program;
    this.#deps = deps;
    this.#transcript = new Transcript({ items: limits.transcriptItems, bytes: limits.transcriptBytes });
    this.#answered = new IdempotencyCache(limits.workerKeys, 'inputId');
    this.#diagnostics = new Ring(limits.diagnostics);
    this.events = new WorkerEvents({ clock, limits, snapshot: () => this.#snapshot() });
    this.#createdAt = this.#now();
    this.#lastActiveAt = this.#createdAt;
  }

  get state(): WorkerState {
    return this.#state;
  }

  /** Nothing of it runs or waits, so that it may be forgotten. */
  get atRest(): boolean {
    return this.#running === undefined && this.#pending.length === 0;
  }

  summary(): WorkerSummary {
    const { runtimeId, workerId, displayName, intent, profile } = this.birth;
    return {
      runtimeId,
      workerId,
      displayName,
      intent,
      profile,
      state: this.#state,
      createdAt: this.#createdAt,
      lastActiveAt: this.#lastActiveAt,
    };
  }

  view(): WorkerView {
    const { isolation, incarnation } = this.#program.view();
    return {
      ...this.summary(),
      capabilities: workerCapabilities,
      implementation: { kind: 'embedded', isolation, incarnation },
      inputs: {
        pending: this.#pending.length,
        capacity: this.#deps.limits.workerInputs,
        kinds: [...inputKind.options],
        running: this.#running?.eventId ?? null,
      },
      transcript: this.#transcript.counts,
      diagnostics: this.#diagnostics.newest(this.#diagnostics.size),
    };
  }

  transcript(start: number, limit: number): TranscriptPage {
    return this.#transcript.read(start, limit);
  }

  /** What it answers stands in the transcript, and nothing of it has run. */
  input({ kind, content, inputId }: InputRequest): InputAnswer {
    const before = this.#answered.find(inputId, [kind, content]);
    if (before !== undefined) return before;
    this.#admit(content);
    const eventId = this.#deps.newId();
    const { sequence, createdAt } = this.#commit({ role: kind, content, eventId, createdAt: this.#now() });
    const answer: InputAnswer = { state: 'accepted', sequence, eventId };
    this.#answered.keep(inputId, [kind, content], answer);
    this.#pending.push({ sequence, eventId, kind, content, createdAt });
    this.#account.add('inputs', 1);
    this.#move('input');
    this.#pumpLater();
    return answer;
  }

  /** The input that ran at an instant of the daemon's clock; of those that have ended, only the last is known. */
  ranAt(atMs: number): string | null {
    if (this.#running !== undefined && this.#running.beganMs <= atMs) return this.#running.eventId;
    return this.#ran !== undefined && this.#ran.beganMs <= atMs && atMs <= this.#ran.endedMs ? this.#ran.eventId : null;
  }

  /** Ends this input alone, whether it runs or waits; false if it has ended or is being cancelled already. */
  cancel(eventId: string): boolean {
    const waiting = this.#pending.find((turn) => turn.eventId === eventId);
    if (waiting !== undefined) {
      this.#pending = this.#pending.filter((turn) => turn !== waiting);
      this.#account.add('inputs', -1);
      this.#tell(waiting, 'cancelled', 'The input was cancelled before it began.');
      if (this.atRest) this.#move('cancelled');
      return true;
    }
    if (this.#running?.eventId !== eventId) {
      if (!this.#transcript.holds(eventId)) throw this.#noInput(eventId);
      return false;
    }
    if (this.#running.cancelling || this.#state === 'stopped') return false;
    this.#running.cancelling = true;
    this.#program.cancel();
    return true;
  }

  /** False where it was stopped already. */
  stop(): boolean {
    if (this.#state === 'stopped') return false;
    this.#move('stop');
    const waiting = this.#pending;
    this.#pending = [];
    this.#account.add('inputs', -waiting.length);
    for (const turn of waiting) this.#tell(turn, 'cancelled', 'The worker was stopped before it came to this.');
    void this.close(this.#deps.limits.killMs);
    return true;
  }

  /** Ends its program. What runs has come to an end when this resolves. */
  close(deadlineMs: number): Promise<void> {
    this.#closing ??= this.#program.close(deadlineMs).then(() => {
      // Its program says so itself; one that does not must not leave an input without an end.
      if (this.#running !== undefined) this.#ended(this.#running, { kind: 'cancelled' });
    });
    return this.#closing;
  }

  #admit(content: string): void {
    const { limits } = this.#deps;
    const { workerId } = this.birth;
    if (this.#state === 'stopped') throw new HostError('worker_stopped', 'The worker was stopped.', { workerId });
    const size = Buffer.byteLength(content);
    if (size > limits.workerInputBytes) {
      throw new HostError(
        'payload_too_large',
        `The input has ${String(size)} bytes and may have ${String(limits.workerInputBytes)}; limits.workerInputBytes sets this bound.`,
        { limit: 'limits.workerInputBytes', maximum: limits.workerInputBytes },
      );
    }
    if (this.#pending.length >= limits.workerInputs) {
      const retryAfterMs = Math.ceil(Math.min(longestAdviceMs, this.#turnMs));
      throw new HostError(
        'worker_busy',
        `${plural(limits.workerInputs, 'input waits', 'inputs wait')} for this worker, which is the limit. Raise limits.workerInputs to let more wait.`,
        { workerId, limit: 'limits.workerInputs', capacity: limits.workerInputs, retryAfterMs },
      );
    }
  }

  #noInput(eventId: string): HostError {
    const { workerId } = this.birth;
    return new HostError(
      'input_not_found',
      `The worker has no input with the eventId ${JSON.stringify(eventId)}, or no longer keeps it.`,
      { workerId, eventId },
    );
  }

  #pumpLater(): void {
    if (this.#pumpSoon) return;
    this.#pumpSoon = true;
    this.#deps.clock.soon(() => {
      this.#pumpSoon = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#running !== undefined || this.#state === 'stopped') return;
    const next = this.#pending.shift();
    if (next === undefined) return;
    const { eventId, kind, content, createdAt } = next;
    const speech = new Speech({
      eventId,
      limits: this.#deps.limits,
      transcript: this.#transcript,
      now: () => this.#now(),
      publish: (event) => this.events.publish(event),
    });
    const running: RunningTurn = { ...next, speech, beganMs: this.#deps.clock.monotonicMs(), cancelling: false };
    const history = this.#history(eventId);
    this.#running = running;
    this.#run(() =>
      this.#program.run({ eventId, kind, content, createdAt, history }, (text) => {
        if (this.#running === running) speech.say(text);
      }),
    ).then(
      (end) => this.#ended(running, end),
      // A program never rejects; one that does has failed this input like any other.
      (thrown: unknown) => this.#ended(running, { kind: 'failed', error: asHostError(thrown) }),
    );
  }

  async #run(run: () => Promise<ProgramEnd>): Promise<ProgramEnd> {
    return await run();
  }

  #ended(turn: RunningTurn, end: ProgramEnd): void {
    if (this.#running !== turn) return;
    this.#running = undefined;
    this.#account.add('inputs', -1);
    this.#lastActiveAt = this.#now();
    const { eventId, beganMs } = turn;
    const endedMs = this.#deps.clock.monotonicMs();
    this.#ran = { eventId, beganMs, endedMs };
    this.#turnMs += (endedMs - beganMs - this.#turnMs) / 4;
    if (end.kind === 'done') {
      turn.speech.close('done');
    } else {
      turn.speech.close('partial');
      if (end.kind === 'cancelled') this.#tell(turn, 'cancelled', 'The input was cancelled.');
      else this.#fail(turn, end.error.code);
    }
    if (this.#pending.length === 0) this.#move(end.kind);
    else this.#pumpLater();
  }

  /** A plugin's own words may hold anything: the transcript gets the code and what the registry says of it. */
  #fail(turn: InputInProgress, code: ErrorCode): void {
    const { meaning } = errorKinds[code];
    this.#tell(turn, 'failed', `${code}: ${meaning}`);
    this.#diagnostics.push({ at: this.#now(), level: 'error', code, message: `An input failed: ${meaning}` });
    this.#deps.log.warn(
      {
        runtime: this.birth.runtimeId,
        worker: this.birth.workerId,
        profile: this.birth.profile,
        eventId: turn.eventId,
        code,
      },
      "a worker's input failed",
    );
  }

  #tell({ eventId }: InputInProgress, status: 'failed' | 'cancelled', content: string): void {
    this.#commit({ role: 'host', content, eventId, createdAt: this.#now(), status });
  }

  #commit(item: NewItem): TranscriptItem {
    const committed = this.#transcript.commit(item);
    this.#lastActiveAt = item.createdAt;
    this.events.publish({ type: 'item', item: committed });
    return committed;
  }

  #move(cause: WorkerCause): void {
    const next = nextWorkerState(this.#state, cause);
    if (next === undefined || next === this.#state) return;
    this.#state = next;
    this.events.publish({ type: 'state', state: next });
  }

  /** What was said before, oldest first, without what only waits. */
  #history(eventId: string): HistoryItem[] {
    const { workerHistory, workerHistoryBytes } = this.#deps.limits;
    const ahead = new Set([eventId, ...this.#pending.map((turn) => turn.eventId)]);
    const wanted = (item: TranscriptItem): boolean => item.role !== 'host' && !ahead.has(item.eventId);
    return this.#transcript
      .newest({ items: workerHistory, bytes: workerHistoryBytes }, { wanted })
      .flatMap(({ role, content }) => (role === 'host' ? [] : [{ role, content }]));
  }

  #snapshot(): { worker: WorkerView; items: TranscriptItem[] } {
    return {
      worker: this.view(),
      items: this.#transcript.newest(snapshotBounds, { since: this.#running?.speech.sequence }),
    };
  }

  #now(): string {
    return new Date(this.#deps.clock.wallMs()).toISOString();
  }
}
