// One worker of the embedded runtime: its inputs wait in order, are given to its program one at a time, and each comes
// to exactly one end in the transcript. Whatever the program does, it only ever costs the input it was given.
//
// The worker moves in steps. A step gathers what has happened (inputs that came, the end of the one that ran, cancels,
// a stop) and which input begins next, writes all of it as one commit, and shows it once it is on disk. So nothing
// that was told is undone by a crash, and no input begins twice.
import { type ErrorCode, type HostError, errorKinds } from '../../../protocol/errors.ts';
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
import type { Change } from '../../../protocol/store/change.ts';
import { type SettledLater, settledLater } from '../../store/settled-later.ts';
import { Ring } from '../../telemetry/ring.ts';
import { KeptState } from '../../dispatch/kept-state.ts';
import type { HistoryItem, Program } from '../programs/program.ts';
import { IdempotencyCache } from '../idempotency-cache.ts';
import type { Awaitable, InputRequest, KeptStateText } from '../runtime.ts';
import { Arrivals } from './arrivals.ts';
import { admitInput, noInputError, stoppedError } from './input-admission.ts';
import { Transcript } from './transcript.ts';
import type { WorkerDeps } from './worker-deps.ts';
import { WorkerEvents } from './worker-events.ts';
import {
  type KeptWorker,
  type OpenInput,
  type WorkerBirth,
  newWorker,
  putBirth,
  putHead,
  removeOld,
  summaryOf,
  wholeWorker,
} from './worker-record.ts';
import { WorkerShelf } from './worker-shelf.ts';
import { type WorkerCause, nextWorkerState } from './worker-states.ts';
import { type Arrived, type WorkerStep, planStep, stateChangesOf } from './worker-step.ts';
import { type RunningTurn, WorkerTurns, causeOf } from './worker-turns.ts';

export const workerCapabilities = {
  canSendInput: true,
  canStopWorker: true,
  canCancelWorker: true,
  canReadTranscript: true,
  canStreamEvents: true,
} as const;

const snapshotBounds = { items: 50, bytes: 256 * 1024 };
/** More events than a worker tells between two writes of its head. */
const eventStride = 1_000_000_000;
/** What the last write of a worker gets when the daemon ends. */
const lastWriteMs = 1000;

export class EmbeddedWorker {
  readonly birth: WorkerBirth;
  readonly events: WorkerEvents;
  readonly #deps: WorkerDeps;
  readonly #program: Program;
  readonly #turns: WorkerTurns;
  readonly #transcript: Transcript;
  readonly #answered: IdempotencyCache<InputAnswer>;
  readonly #diagnostics: Ring<RuntimeDiagnostic>;
  readonly #shelf: WorkerShelf;
  /** `ctx.state`, as the inputs that are done have left it. */
  readonly #kept = new KeptState();
  readonly #arrivals = new Arrivals();
  /** Inputs that wait and are to be cancelled, by their eventId. */
  readonly #cancelling = new Map<string, SettledLater>();
  #pending: readonly OpenInput[];
  #state: WorkerState;
  #lastActiveAt: string;
  #stopping: SettledLater | undefined;
  /** A step is being written. */
  #writing: Promise<void> | undefined;
  /** Up to where items and input ids that are no longer kept were removed from the store. */
  #removed: { readonly firstItem: number; readonly firstKey: number };
  /** No input begins any more: the daemon ends, or the worker is forgotten. */
  #ending = false;

  /** `kept` is what an earlier daemon left of it. */
  constructor(birth: WorkerBirth, program: Program, deps: WorkerDeps, kept: KeptWorker = newWorker(birth)) {
    const { limits, clock, store } = deps;
    const { head, inputs } = kept;
    this.birth = birth;
    this.#program = program;
    this.#deps = deps;
    this.#transcript = new Transcript({ items: limits.transcriptItems, bytes: limits.transcriptBytes }, kept);
    this.#answered = new IdempotencyCache(limits.workerKeys, 'inputId');
    for (const key of kept.keys) this.#answered.restore(key);
    this.#kept.write(kept.state);
    this.#diagnostics = new Ring(limits.diagnostics);
    this.events = new WorkerEvents({
      clock,
      limits,
      life: birth.life,
      last: head.events,
      snapshot: () => this.#snapshot(),
    });
    this.#turns = new WorkerTurns({
      profile: birth.profile,
      program,
      deps,
      transcript: this.#transcript,
      events: this.events,
      history: (eventId) => this.#history(eventId),
      state: () => (this.#kept.size === 0 ? undefined : this.#kept.text()),
      isWriting: () => this.#writing !== undefined,
      onEnd: () => this.#advance(),
    });
    this.#shelf = new WorkerShelf({
      store,
      clock,
      whole: () => this.#whole(),
      again: () => this.#advance(),
      onTrouble: (error) => this.#notKept(error),
    });
    if (kept.differs) this.#shelf.spoil();
    this.#removed = { firstItem: kept.items[0]?.sequence ?? 1, firstKey: kept.keys[0]?.answer.sequence ?? 1 };
    this.#lastActiveAt = head.lastActiveAt;
    const begun = inputs.find(({ sequence }) => sequence === head.running);
    this.#pending = inputs.filter((input) => input !== begun);
    if (begun !== undefined) this.#turns.endedWithDaemon(begun, head.stopped);
    this.#state = head.stopped ? 'stopped' : this.atRest ? 'idle' : 'busy';
  }

  get state(): WorkerState {
    return this.#state;
  }

  /** Nothing of it runs or waits, so that it may be forgotten. */
  get atRest(): boolean {
    return this.#turns.current === undefined && this.#pending.length === 0 && this.#arrivals.size === 0;
  }

  summary(): WorkerSummary {
    return summaryOf(this.birth, this.#state, this.#lastActiveAt);
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
        running: this.#turns.current?.eventId ?? null,
      },
      transcript: this.#transcript.counts,
      diagnostics: this.#diagnostics.newest(this.#diagnostics.size),
    };
  }

  transcript(start: number, limit: number): TranscriptPage {
    return this.#transcript.read(start, limit);
  }

  /** What it keeps in `ctx.state`, as one JSON object. */
  keptState(): KeptStateText {
    return { json: this.#kept.text(), bytes: this.#kept.bytes };
  }

  /** What is to be in the store before anybody is told of the worker. */
  beginning(): Change[] {
    return [putBirth(this.birth), putHead(this.birth.workerId, this.#plan().head)];
  }

  /** What it answers stands in the transcript and on disk, and nothing of it has run. */
  input(request: InputRequest): Awaitable<InputAnswer> {
    const { kind, content, inputId } = request;
    const before = this.#answered.find(inputId, [kind, content]) ?? this.#arrivals.find(request);
    if (before !== undefined) return before;
    const { limits, newId } = this.#deps;
    const { workerId } = this.birth;
    const waiting = this.#pending.length + this.#arrivals.size;
    const stopped = this.#state === 'stopped' || this.#stopping !== undefined;
    admitInput({ workerId, content, waiting, turnMs: this.#turns.usualMs, stopped }, limits);
    const answer = this.#arrivals.add({ eventId: newId(), kind, content, createdAt: this.#now() }, inputId);
    this.#advance();
    return answer;
  }

  /** The input that ran at an instant of the daemon's clock; of those that have ended, only the last is known. */
  ranAt(atMs: number): string | null {
    return this.#turns.ranAt(atMs);
  }

  /** Ends this input alone, whether it runs or waits; false if it has ended or is being cancelled already. */
  cancel(eventId: string): Awaitable<boolean> {
    if (this.#pending.some((input) => input.eventId === eventId)) {
      if (this.#cancelling.has(eventId)) return false;
      const cancelled = settledLater();
      this.#cancelling.set(eventId, cancelled);
      this.#advance();
      return cancelled.promise.then(() => true);
    }
    if (this.#turns.current?.eventId === eventId) return this.#state !== 'stopped' && this.#turns.cancel();
    if (!this.#transcript.holds(eventId)) throw noInputError(this.birth.workerId, eventId);
    return false;
  }

  /** False where it was stopped already. */
  stop(): Awaitable<boolean> {
    if (this.#state === 'stopped' || this.#stopping !== undefined) return false;
    const { promise } = (this.#stopping = settledLater());
    this.#arrivals.refuseWaiting(stoppedError(this.birth.workerId));
    void this.#turns.close(this.#deps.limits.killMs);
    this.#advance();
    return promise.then(() => true);
  }

  /** The daemon is ready to run what waits, or the store may hold something else than it was given. */
  go(store?: 'spoilt'): void {
    if (store === 'spoilt') {
      this.#shelf.spoil();
      this.#shelf.wake();
    }
    this.#advance();
  }

  /** What the end of an earlier daemon means for it is written, and shown. */
  async ready(): Promise<void> {
    this.#advance();
    await this.#writing;
  }

  /** The daemon ends: what runs is interrupted, what waits is kept for the next daemon. Never rejects. */
  async suspend(deadlineMs: number): Promise<void> {
    this.#ending = true;
    // What the operator stopped is cancelled, and what its program does not have yet is the next daemon's.
    const back = this.#state === 'stopped' || this.#stopping !== undefined ? undefined : this.#turns.interrupt();
    if (back !== undefined) this.#pending = [back, ...this.#pending];
    await this.#turns.close(deadlineMs);
    await new Promise<void>((resolve) => {
      const late = this.#deps.clock.after(lastWriteMs, resolve);
      void this.#writeLast().finally(() => {
        late.cancel();
        resolve();
      });
    });
    this.#shelf.close();
    this.events.close();
  }

  async #writeLast(): Promise<void> {
    for (this.#advance(); this.#writing !== undefined; this.#advance()) await this.#writing;
    // Events go on behind the last one that was told, so that nobody who has them all is told of a gap.
    const { head } = this.#plan();
    await this.#shelf.write([putHead(this.birth.workerId, { ...head, events: this.events.last })]);
  }

  /** It is forgotten: nothing of it is written any more. */
  forget(): void {
    this.#ending = true;
    this.#shelf.close();
    this.events.close();
    void this.#turns.close(this.#deps.limits.killMs);
  }

  #advance(): void {
    if (this.#writing !== undefined || !this.#hasStep()) return;
    const step = this.#plan();
    this.#writing = this.#shelf.write([...step.changes, ...this.#outdated()]).then((error) => {
      this.#writing = undefined;
      this.#took(step, error);
      this.#turns.sayOn();
      this.#advance();
    });
  }

  #hasStep(): boolean {
    const hasNews =
      this.#turns.current?.end !== undefined ||
      this.#stopping !== undefined ||
      this.#cancelling.size > 0 ||
      this.#arrivals.hasWaiting;
    return hasNews || this.#shelf.owes || (!this.#shelf.rests && this.#hasNext);
  }

  get #mayBegin(): boolean {
    return !this.#ending && this.#deps.mayBegin();
  }

  get #hasNext(): boolean {
    return this.#turns.current === undefined && this.#pending.length > 0 && this.#mayBegin && this.#state !== 'stopped';
  }

  #plan(): WorkerStep {
    return planStep({
      workerId: this.birth.workerId,
      total: this.#transcript.total,
      lastActiveAt: this.#lastActiveAt,
      now: this.#now(),
      stopped: this.#state === 'stopped',
      stopping: this.#stopping !== undefined,
      running: this.#turns.current,
      pending: this.#pending,
      cancelling: this.#cancelling,
      arrivals: this.#arrivals.take(),
      mayBegin: this.#mayBegin,
      events: this.events.last + eventStride,
    });
  }

  /** What the transcript and the memory of input ids have let go of since it was removed from the store last. */
  #outdated(): Change[] {
    const { first: firstItem } = this.#transcript;
    const firstKey = this.#answered.oldest?.sequence ?? 0;
    if (firstItem <= this.#removed.firstItem && firstKey <= this.#removed.firstKey) return [];
    this.#removed = { firstItem, firstKey };
    return removeOld(this.birth.workerId, firstItem, firstKey);
  }

  /** The step is on disk, or was refused: then no input is accepted and none begins; the rest holds. */
  #took(step: WorkerStep, error: HostError | undefined): void {
    const { ended, dropped, stops, arrived, next } = step;
    if (error !== undefined && (ended !== undefined || dropped.length > 0 || stops)) this.#shelf.spoil();
    const gone = new Set(dropped.map(({ input }) => input));
    this.#pending = this.#pending.filter((input) => !gone.has(input));
    if (ended !== undefined) this.#tookEnd(ended, step.endItems);
    if (stops) this.#move('stop');
    for (const { input, line } of dropped) {
      this.#show(line);
      this.#cancelling.get(input.eventId)?.resolve();
      this.#cancelling.delete(input.eventId);
      if (this.atRest) this.#move('cancelled');
    }
    if (stops) {
      this.#stopping?.resolve();
      this.#stopping = undefined;
    }
    for (const each of arrived) {
      if (error === undefined) this.#accept(each);
      else each.arrival.refused(error);
    }
    this.#arrivals.done();
    if (error === undefined && next !== undefined) this.#begin(next);
  }

  #accept({ arrival, input, item, answer }: Arrived): void {
    this.#show(item);
    this.#answered.keep(arrival.inputId, [input.kind, input.content], answer);
    this.#pending = [...this.#pending, input];
    this.#move('input');
    arrival.accepted(answer);
  }

  #begin(input: OpenInput): void {
    this.#pending = this.#pending.filter((waiting) => waiting !== input);
    this.#turns.begin(input);
    const cancelled = this.#cancelling.get(input.eventId);
    if (cancelled === undefined && this.#stopping === undefined) return;
    // That came while its beginning was being written.
    this.#cancelling.delete(input.eventId);
    this.#turns.cancel();
    cancelled?.resolve();
  }

  #tookEnd(turn: RunningTurn, items: readonly TranscriptItem[]): void {
    const { end = { kind: 'done' } } = turn;
    this.#turns.settle(turn);
    this.#kept.write(stateChangesOf(turn));
    this.#lastActiveAt = this.#now();
    for (const item of items) this.#show(item);
    if (end.kind === 'failed') this.#tellFailure(turn, end.error.code);
    if (this.#pending.length === 0) this.#move(causeOf(end));
  }

  #tellFailure({ eventId }: OpenInput, code: ErrorCode): void {
    const { runtimeId, workerId, profile } = this.birth;
    const { meaning } = errorKinds[code];
    this.#diagnose('error', code, `An input failed: ${meaning}`);
    this.#deps.log.warn({ runtime: runtimeId, worker: workerId, profile, eventId, code }, "a worker's input failed");
  }

  #notKept({ code, message }: HostError): void {
    const { runtimeId, workerId, profile } = this.birth;
    this.#diagnose('error', code, `The worker cannot be written to the store: ${errorKinds[code].meaning}`);
    this.#deps.log.error(
      { runtime: runtimeId, worker: workerId, profile, code },
      `a worker cannot be kept: ${message}`,
    );
  }

  #diagnose(level: RuntimeDiagnostic['level'], code: ErrorCode, message: string): void {
    this.#diagnostics.push({ at: this.#now(), level, code, message });
  }

  #show({ sequence: _, ...item }: TranscriptItem): void {
    const committed = this.#transcript.commit(item);
    this.#lastActiveAt = item.createdAt;
    this.events.publish({ type: 'item', item: committed });
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

  #whole(): Change[] {
    return wholeWorker({
      birth: this.birth,
      items: this.#transcript.all(),
      open: [...(this.#turns.current === undefined ? [] : [this.#turns.current]), ...this.#pending],
      keys: this.#answered.entries(),
      state: this.#kept.all(),
    });
  }

  #snapshot(): { worker: WorkerView; items: TranscriptItem[] } {
    return {
      worker: this.view(),
      items: this.#transcript.newest(snapshotBounds, { since: this.#turns.current?.speech.sequence }),
    };
  }

  #now(): string {
    return new Date(this.#deps.clock.wallMs()).toISOString();
  }
}
