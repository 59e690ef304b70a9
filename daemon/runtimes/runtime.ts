// What every kind of runtime is to the registry: a small set of questions about workers. Each may be slow or fail, for
// one that lives elsewhere; the registry keeps the deadlines, so that a runtime need not and a caller never waits
// without end.
//
// Whoever streams to a browser calls `Registry.subscribe`: see WorkerListener.
import type {
  InputAnswer,
  InputCancellation,
  ProfileSummary,
  RuntimeCapabilities,
  RuntimeDiagnostic,
  RuntimeKind,
  RuntimeSummary,
  TranscriptPage,
  WorkerChange,
  WorkerEvent,
  WorkerEventPage,
  WorkerSummary,
  WorkerView,
} from '../../protocol/runtime.ts';

export type Awaitable<Value> = Value | Promise<Value>;

/** What a runtime reports of itself; the rest of its summary stands fast. */
export interface RuntimeReport {
  readonly status: 'running' | 'stopped';
  readonly workers: RuntimeSummary['workers'];
  readonly diagnostics: readonly RuntimeDiagnostic[];
}

export interface WorkerSlice {
  /** In the runtime's own order, which stays the same from page to page. */
  readonly workers: readonly WorkerSummary[];
  readonly more: boolean;
}

export interface CreateRequest {
  readonly intent: string;
  readonly profile?: string | undefined;
  readonly requestedName?: string | undefined;
  readonly requestKey?: string | undefined;
}

export interface InputRequest {
  readonly kind: 'user' | 'system';
  readonly content: string;
  readonly inputId?: string | undefined;
}

/** Which input to end: the one with this id, or the one that ran at this instant of the daemon's clock. */
export type CancelRequest = { readonly eventId: string } | { readonly ranAtMs: number };

/** What a worker keeps in `ctx.state`: one JSON object, which the host only passes on. */
export interface KeptStateText {
  readonly json: string;
  readonly bytes: number;
}

export interface EventsRequest {
  readonly after?: string | undefined;
  readonly limit: number;
  /** How long to wait for a first event. */
  readonly waitMs: number;
  /** Aborted when nobody waits any more. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Takes one event, or answers false for "not now": it was not taken and comes again after `resume`. Nothing is kept for
 * a listener but its place in the worker's bounded backlog: one that falls out of it gets the diagnostic
 * `events_dropped` and a fresh snapshot. Without `after` the first event is a snapshot; with one that is foreign or
 * expired, a diagnostic and then a snapshot. `push` is first called during `subscribe`. An event's `cursor` is what
 * `Last-Event-ID` brings back; a diagnostic has none.
 */
export interface WorkerListener {
  readonly after?: string | undefined;
  push(event: WorkerEvent): boolean;
  /** The worker is no longer there, the daemon ends, or `push` threw: no event comes any more. */
  ended?(): void;
}

export interface WorkerSubscription {
  /** There is room again. */
  resume(): void;
  close(): void;
}

export interface Runtime {
  readonly runtimeId: string;
  readonly displayName: string;
  readonly kind: RuntimeKind;
  readonly capabilities: RuntimeCapabilities;
  /** What an answer may take beyond the usual: it waits for the disk, which has a deadline of its own. */
  readonly moreMs?: number;
  report(): Awaitable<RuntimeReport>;
  profiles(): Awaitable<readonly ProfileSummary[]>;
  /** At most `limit` workers behind the one with this id, which may be gone by now. */
  list(after: string | undefined, limit: number): Awaitable<WorkerSlice>;
  show(workerId: string): Awaitable<WorkerView>;
  create(request: CreateRequest): Awaitable<WorkerView>;
  input(workerId: string, input: InputRequest): Awaitable<InputAnswer>;
  stop(workerId: string): Awaitable<WorkerChange>;
  cancel(workerId: string, which: CancelRequest): Awaitable<InputCancellation>;
  transcript(workerId: string, start: number, limit: number): Awaitable<TranscriptPage>;
  state(workerId: string): Awaitable<KeptStateText>;
  events(workerId: string, request: EventsRequest): Awaitable<WorkerEventPage>;
  subscribe(workerId: string, listener: WorkerListener): Awaitable<WorkerSubscription>;
  /** Ends what runs in it; never rejects. */
  close(deadlineMs: number): Promise<void>;
}
