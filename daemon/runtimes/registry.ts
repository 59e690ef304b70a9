// Every runtime by its id: the one way to a worker. A worker's id is looked up in the runtime that was named and
// nowhere else, so that the same id in two runtimes is two workers. What a runtime does not do is refused here, by its
// capabilities.
import { type ErrorCode, HostError, asHostError, errorKinds } from '../../protocol/errors.ts';
import type {
  InputAnswer,
  InputCancellation,
  ProfileSummary,
  RuntimeCapabilities,
  RuntimeSummary,
  TranscriptPage,
  WorkerChange,
  WorkerEventPage,
  WorkerPage,
  WorkerSummary,
  WorkerView,
} from '../../protocol/runtime.ts';
import type { Clock } from '../time/clock.ts';
import type { Limits } from '../config/schema.ts';
import type { Logger } from '../telemetry/daemon-log.ts';
import { type PagePositions, decodePlaces, encodePlaces } from './page-cursor.ts';
import type {
  Awaitable,
  CancelRequest,
  CreateRequest,
  EventsRequest,
  InputRequest,
  KeptStateText,
  Runtime,
  WorkerListener,
  WorkerSlice,
  WorkerSubscription,
} from './runtime.ts';
import { type AskOptions, RuntimeLink } from './runtime-link.ts';

export interface RegistryDeps {
  readonly clock: Clock;
  readonly limits: Pick<Limits, 'runtimeMs' | 'runtimeCalls'>;
  readonly log: Pick<Logger, 'warn'>;
}

/** Where a worker is; neither half means anything alone. */
export interface WorkerAddress {
  readonly runtimeId: string;
  readonly workerId: string;
}

export interface PageRequest {
  /** Absent: all runtimes. */
  readonly runtimeId?: string | undefined;
  readonly after?: string | undefined;
  readonly limit: number;
}

type Capability = Exclude<keyof RuntimeCapabilities, 'maxWorkers'>;

export class Registry {
  readonly #deps: RegistryDeps;
  readonly #links = new Map<string, RuntimeLink>();

  constructor(deps: RegistryDeps) {
    this.#deps = deps;
  }

  add(runtime: Runtime): void {
    if (this.#links.has(runtime.runtimeId)) throw new Error(`two runtimes have the id ${runtime.runtimeId}`);
    this.#links.set(runtime.runtimeId, new RuntimeLink(runtime, this.#deps));
  }

  /** It is somewhere else, and not reached any more. */
  async remove(runtimeId: string): Promise<void> {
    const link = this.#links.get(runtimeId);
    this.#links.delete(runtimeId);
    await link?.runtime.close(0);
  }

  /** What other members of a cluster are told: only what lives here. */
  own(): readonly Runtime[] {
    return [...this.#links.values()].map(({ runtime }) => runtime).filter(({ kind }) => kind !== 'remote');
  }

  async list(): Promise<RuntimeSummary[]> {
    return await Promise.all([...this.#links.values()].map((link) => this.#summary(link)));
  }

  async show(runtimeId: string): Promise<RuntimeSummary & { profiles: ProfileSummary[] }> {
    const link = this.#link(runtimeId);
    const summary = await this.#summary(link);
    const profiles = summary.status === 'unavailable' ? [] : await link.ask((runtime) => runtime.profiles());
    return { ...summary, profiles: [...profiles] };
  }

  /** A page over one runtime or all: each has an equal share, and what one does not need the others may have. */
  async workers({ runtimeId, after, limit }: PageRequest): Promise<WorkerPage> {
    const links = runtimeId === undefined ? [...this.#links.values()] : [this.#link(runtimeId)];
    const places = decodePlaces(after);
    const asked = links.map(async (link) => {
      const place = places[link.runtime.runtimeId];
      const question = (runtime: Runtime): Awaitable<WorkerSlice> => runtime.list(place, limit);
      if (!link.runtime.capabilities.canListWorkers) return { link, slice: { workers: [], more: false } };
      // Who asks for one runtime alone is told why there is no answer; a list over all goes without it.
      if (runtimeId !== undefined) return { link, slice: await link.ask(question) };
      try {
        return { link, slice: await link.askIfHeard(question) };
      } catch (thrown) {
        return { link, code: this.#noted(link, thrown) };
      }
    });
    const answers = await Promise.all(asked);
    return pageOf(answers, places, limit);
  }

  create(runtimeId: string, request: CreateRequest): Awaitable<WorkerView> {
    return this.#ask(runtimeId, 'canCreateWorker', (runtime) => runtime.create(request));
  }

  worker({ runtimeId, workerId }: WorkerAddress): Awaitable<WorkerView> {
    return this.#ask(runtimeId, 'canShowWorker', (runtime) => runtime.show(workerId));
  }

  input({ runtimeId, workerId }: WorkerAddress, input: InputRequest): Awaitable<InputAnswer> {
    return this.#ask(runtimeId, 'canSendInput', (runtime) => runtime.input(workerId, input));
  }

  stop({ runtimeId, workerId }: WorkerAddress): Awaitable<WorkerChange> {
    return this.#ask(runtimeId, 'canStopWorker', (runtime) => runtime.stop(workerId));
  }

  cancel({ runtimeId, workerId }: WorkerAddress, which: CancelRequest): Awaitable<InputCancellation> {
    return this.#ask(runtimeId, 'canCancelWorker', (runtime) => runtime.cancel(workerId, which));
  }

  transcript({ runtimeId, workerId }: WorkerAddress, start: number, limit: number): Awaitable<TranscriptPage> {
    return this.#ask(runtimeId, 'canReadTranscript', (runtime) => runtime.transcript(workerId, start, limit));
  }

  state({ runtimeId, workerId }: WorkerAddress): Awaitable<KeptStateText> {
    return this.#ask(runtimeId, 'canShowWorker', (runtime) => runtime.state(workerId));
  }

  events({ runtimeId, workerId }: WorkerAddress, request: EventsRequest): Awaitable<WorkerEventPage> {
    return this.#ask(runtimeId, 'canStreamEvents', (runtime) => runtime.events(workerId, request), {
      moreMs: request.waitMs,
    });
  }

  /** For live streams: see WorkerListener. Refuses as the other questions do, before anything is pushed. */
  subscribe({ runtimeId, workerId }: WorkerAddress, listener: WorkerListener): Awaitable<WorkerSubscription> {
    return this.#ask(runtimeId, 'canStreamEvents', (runtime) => runtime.subscribe(workerId, listener), {
      late: (subscription) => subscription.close(),
    });
  }

  async close(deadlineMs: number): Promise<void> {
    await Promise.all([...this.#links.values()].map(({ runtime }) => runtime.close(deadlineMs)));
  }

  #link(runtimeId: string): RuntimeLink {
    const link = this.#links.get(runtimeId);
    if (link === undefined)
      throw new HostError('runtime_not_found', `There is no runtime ${JSON.stringify(runtimeId)}.`, { runtimeId });
    return link;
  }

  #ask<Answer>(
    runtimeId: string,
    capability: Capability,
    question: (runtime: Runtime) => Awaitable<Answer>,
    options?: AskOptions<Answer>,
  ): Awaitable<Answer> {
    const link = this.#link(runtimeId);
    const { kind, capabilities } = link.runtime;
    if (!capabilities[capability]) {
      throw new HostError(
        'unsupported_operation',
        `The runtime ${runtimeId} is of the kind ${kind} and does not do this.`,
        { runtimeId, kind, capability, instead: `a runtime with ${capability}; see runtime.list` },
      );
    }
    return link.ask(question, options);
  }

  async #summary(link: RuntimeLink): Promise<RuntimeSummary> {
    const { runtimeId, displayName, kind } = link.runtime;
    try {
      const { status, workers, diagnostics } = await link.askIfHeard((runtime) => runtime.report());
      // One that is somewhere else may have said with its report what it can do.
      const { capabilities } = link.runtime;
      return { runtimeId, displayName, kind, status, capabilities, workers, diagnostics: [...diagnostics] };
    } catch (thrown) {
      const code = this.#noted(link, thrown);
      const at = new Date(this.#deps.clock.wallMs()).toISOString();
      const workers = { total: 0, idle: 0, busy: 0, stopped: 0, failed: 0 };
      return {
        runtimeId,
        displayName,
        kind,
        status: 'unavailable',
        capabilities: link.runtime.capabilities,
        workers,
        diagnostics: [{ at, level: 'error', code, message: errorKinds[code].meaning }],
      };
    }
  }

  /** The reader of a list gets the code; the log has what was thrown where nobody foresaw it. */
  #noted({ runtime: { runtimeId } }: RuntimeLink, thrown: unknown): ErrorCode {
    const { code } = asHostError(thrown);
    if (!(thrown instanceof HostError))
      this.#deps.log.warn({ runtime: runtimeId, err: thrown }, 'a runtime failed unexpectedly');
    return code;
  }
}

type Answered = { readonly link: RuntimeLink } & ({ readonly slice: WorkerSlice } | { readonly code: ErrorCode });

/** One worker of each runtime in turn, until the page is full or nobody has another. */
function pageOf(answers: readonly Answered[], before: PagePositions, limit: number): WorkerPage {
  const slices = answers.flatMap((answer) =>
    'slice' in answer ? [{ runtimeId: answer.link.runtime.runtimeId, ...answer.slice, given: 0 }] : [],
  );
  const workers: WorkerSummary[] = [];
  for (
    let round = 0;
    workers.length < limit && slices.some((slice) => slice.given < slice.workers.length);
    round += 1
  ) {
    for (const slice of slices) {
      const next = slice.workers[round];
      if (next === undefined || workers.length >= limit) continue;
      workers.push(next);
      slice.given = round + 1;
    }
  }
  const more = slices
    .filter((slice) => slice.more || slice.given < slice.workers.length)
    .map(({ runtimeId }) => runtimeId);
  const places: PagePositions = { ...before };
  for (const { runtimeId, workers: own, given } of slices) {
    const last = own[given - 1];
    if (last !== undefined) places[runtimeId] = last.workerId;
  }
  const unavailable = answers.flatMap((answer) =>
    'code' in answer ? [{ runtimeId: answer.link.runtime.runtimeId, code: answer.code }] : [],
  );
  return {
    workers: order(
      workers,
      slices.map(({ runtimeId }) => runtimeId),
    ),
    next: more.length === 0 ? null : encodePlaces(places),
    leftOut: { unavailable, more },
  };
}

/** By runtime, each in its own order: the turns were only for fairness. */
function order(workers: readonly WorkerSummary[], runtimeIds: readonly string[]): WorkerSummary[] {
  return runtimeIds.flatMap((id) => workers.filter(({ runtimeId }) => runtimeId === id));
}
