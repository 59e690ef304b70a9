// A runtime of another daemon, a member of the cluster or one outside it, as one more runtime of this daemon: each
// question is asked there, and the answer is told with the id by which the runtime is known here.
import { HostError, asHostError } from '../../../protocol/errors.ts';
import type {
  InputAnswer,
  InputCancellation,
  ProfileSummary,
  RuntimeCapabilities,
  RuntimeSummary,
  TranscriptPage,
  WorkerChange,
  WorkerEvent,
  WorkerEventPage,
  WorkerPage,
  WorkerView,
} from '../../../protocol/runtime.ts';
import type { Clock } from '../../time/clock.ts';
import { encodePlaces } from '../page-cursor.ts';
import type {
  CancelRequest,
  CreateRequest,
  EventsRequest,
  InputRequest,
  KeptStateText,
  Runtime,
  RuntimeReport,
  WorkerListener,
  WorkerSlice,
  WorkerSubscription,
} from '../runtime.ts';
import { RemoteEvents } from './remote-events.ts';

export interface RemoteRuntimeOptions {
  /** The id by which it is known here. */
  readonly runtimeId: string;
  /** The id that it has there. */
  readonly ownId: string;
  readonly displayName: string;
  readonly capabilities: RuntimeCapabilities;
  /** What an answer may take beyond the usual, where somebody else keeps the deadline. */
  readonly moreMs?: number;
  readonly clock: Clock;
  /** Resolves to what the operation answers there. */
  ask(
    operation: string,
    params: object,
    options: { readonly timeoutMs?: number; readonly signal?: AbortSignal | undefined },
  ): Promise<unknown>;
}

/** A page of events waits there for as long as its reader allows; the way there and back takes a moment more. */
const wayMs = 2000;

export class RemoteRuntime implements Runtime {
  readonly runtimeId: string;
  readonly displayName: string;
  readonly kind = 'remote';
  readonly moreMs: number;
  readonly #options: RemoteRuntimeOptions;
  #capabilities: RuntimeCapabilities;
  readonly #followers = new Set<RemoteEvents>();

  constructor(options: RemoteRuntimeOptions) {
    this.#options = options;
    this.runtimeId = options.runtimeId;
    this.displayName = options.displayName;
    this.moreMs = options.moreMs ?? 0;
    this.#capabilities = options.capabilities;
  }

  get capabilities(): RuntimeCapabilities {
    return this.#capabilities;
  }

  async report(): Promise<RuntimeReport> {
    const { status, workers, diagnostics, capabilities } = await this.#ask<RuntimeSummary>('runtime.show', {});
    this.#capabilities = capabilities;
    // Its link would have said so.
    return { status: status === 'unavailable' ? 'stopped' : status, workers, diagnostics };
  }

  async profiles(): Promise<readonly ProfileSummary[]> {
    return (await this.#ask<{ profiles: ProfileSummary[] }>('runtime.show', {})).profiles;
  }

  async list(after: string | undefined, limit: number): Promise<WorkerSlice> {
    const place = after === undefined ? {} : { after: encodePlaces({ [this.#options.ownId]: after }) };
    const { workers, next } = await this.#ask<WorkerPage>('worker.list', { limit, ...place });
    return { workers: workers.map((worker) => ({ ...worker, runtimeId: this.runtimeId })), more: next !== null };
  }

  async show(workerId: string): Promise<WorkerView> {
    return this.#here(await this.#ask<WorkerView>('worker.show', { workerId }));
  }

  async create(request: CreateRequest): Promise<WorkerView> {
    return this.#here(await this.#ask<WorkerView>('worker.create', request));
  }

  async input(workerId: string, input: InputRequest): Promise<InputAnswer> {
    return await this.#ask<InputAnswer>('worker.input', { workerId, ...input });
  }

  async stop(workerId: string): Promise<WorkerChange> {
    return this.#here(await this.#ask<WorkerChange>('worker.stop', { workerId }));
  }

  async cancel(workerId: string, which: CancelRequest): Promise<InputCancellation> {
    // Which input runs is looked at when the question arrives: clocks of two machines are not compared.
    const event = 'eventId' in which ? { eventId: which.eventId } : {};
    return this.#here(await this.#ask<InputCancellation>('worker.cancel', { workerId, ...event }));
  }

  async transcript(workerId: string, start: number, limit: number): Promise<TranscriptPage> {
    return await this.#ask<TranscriptPage>('worker.transcript', { workerId, start, limit });
  }

  async state(workerId: string): Promise<KeptStateText> {
    const { state, bytes } = await this.#ask<{ state: object; bytes: number }>('worker.state', { workerId });
    return { json: JSON.stringify(state), bytes };
  }

  async events(workerId: string, { after, limit, waitMs, signal }: EventsRequest): Promise<WorkerEventPage> {
    const page = await this.#ask<WorkerEventPage>(
      'worker.events',
      { workerId, limit, waitMs, ...(after === undefined ? {} : { after }) },
      { timeoutMs: waitMs + wayMs, signal },
    );
    return { ...page, events: page.events.map((event) => this.#eventHere(event)) };
  }

  async subscribe(workerId: string, listener: WorkerListener): Promise<WorkerSubscription> {
    // Refused before anything is pushed, as any other question is.
    await this.show(workerId);
    const follower: RemoteEvents = new RemoteEvents({
      clock: this.#options.clock,
      listener,
      page: (request) => this.events(workerId, request),
      over: () => this.#followers.delete(follower),
    });
    this.#followers.add(follower);
    follower.follow();
    return follower;
  }

  close(): Promise<void> {
    for (const follower of [...this.#followers]) follower.end();
    return Promise.resolve();
  }

  async #ask<Answer>(
    operation: string,
    params: object,
    options: { readonly timeoutMs?: number; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Answer> {
    try {
      // The member checks what it answers by the same table of operations.
      return (await this.#options.ask(operation, { runtimeId: this.#options.ownId, ...params }, options)) as Answer;
    } catch (thrown) {
      throw this.#refusal(asHostError(thrown));
    }
  }

  /** That the member or the server is away is, for who asks for a runtime, that the runtime is. */
  #refusal(error: HostError): HostError {
    const { runtimeId } = this;
    if (
      error.code === 'member_unavailable' ||
      error.code === 'member_not_found' ||
      error.code === 'cluster_unavailable'
    )
      return new HostError('runtime_unavailable', `The runtime ${runtimeId} is unavailable: ${error.message}`, {
        runtimeId,
      });
    return 'runtimeId' in error.details
      ? new HostError(error.code, error.message, { ...error.details, runtimeId })
      : error;
  }

  #here<Told extends { readonly runtimeId: string }>(told: Told): Told {
    return { ...told, runtimeId: this.runtimeId };
  }

  #eventHere(event: WorkerEvent): WorkerEvent {
    return event.type === 'snapshot' ? { ...event, worker: this.#here(event.worker) } : event;
  }
}
