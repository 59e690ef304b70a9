// The daemon's own services seen as workers, for callers that know only runtimes: list, show, an input as an ingress
// event, stop. There is no conversation behind them, and whatever needs one is refused by the capabilities.
//
// An input becomes an event of the first ingress that declares the input's kind (`user` or `system`), a user's input
// else of the first that declares `text`. The payload is `{ "text": content }`, the answer's eventId is the event's.
import { HostError, errorKinds } from '../../../protocol/errors.ts';
import {
  type InputAnswer,
  type InputKind,
  type RuntimeCapabilities,
  type RuntimeDiagnostic,
  type RuntimeSummary,
  type WorkerChange,
  type WorkerState,
  type WorkerSummary,
  type WorkerView,
  inputKind,
} from '../../../protocol/runtime.ts';
import type { Lifecycle, ServiceStatus } from '../../../protocol/status.ts';
import type { Clock } from '../../time/clock.ts';
import type { Limits } from '../../config/schema.ts';
import type { LoadedPlugin } from '../../plugins/plugin.ts';
import type { Accepted } from '../../services/admitted.ts';
import type { Service } from '../../services/service.ts';
import type { Logger } from '../../telemetry/daemon-log.ts';
import type { Timeline } from '../../telemetry/timeline.ts';
import { IdempotencyCache } from '../idempotency-cache.ts';
import type { Awaitable, InputRequest, KeptStateText, Runtime, RuntimeReport, WorkerSlice } from '../runtime.ts';

/** A loaded plugin as this runtime needs it. */
export interface ServiceOwner {
  readonly id: string;
  readonly plugin: LoadedPlugin;
  readonly service: Service | undefined;
  readonly timeline: Pick<Timeline, 'newest'>;
}

export interface LocalRuntimeDeps {
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly limits: Pick<Limits, 'workerKeys' | 'plugins'>;
  readonly log: Pick<Logger, 'warn'>;
  owners(): readonly ServiceOwner[];
}

interface LocalWorker extends ServiceOwner {
  readonly service: Service;
}

export const localRuntimeId = 'local';

const capabilities = {
  canSendInput: true,
  canStopWorker: true,
  canCancelWorker: false,
  canReadTranscript: false,
  canStreamEvents: false,
} as const;
const defaultKind = 'text';
/** States in which a stop has nothing to do. */
const restful: readonly Lifecycle[] = ['ready', 'stopped', 'stopping'];
const source = 'worker-input';

export class LocalRuntime implements Runtime {
  readonly runtimeId = localRuntimeId;
  readonly displayName = 'Services of this daemon';
  readonly kind = 'local-compatibility';
  readonly capabilities: RuntimeCapabilities;
  readonly #deps: LocalRuntimeDeps;
  readonly #answered: IdempotencyCache<Awaitable<InputAnswer>>;
  readonly #since: string;

  constructor(deps: LocalRuntimeDeps) {
    this.#deps = deps;
    this.#answered = new IdempotencyCache(deps.limits.workerKeys, 'inputId');
    this.#since = new Date(deps.clock.wallMs()).toISOString();
    this.capabilities = {
      canListWorkers: true,
      canShowWorker: true,
      canCreateWorker: false,
      ...capabilities,
      maxWorkers: deps.limits.plugins,
    };
  }

  report(): RuntimeReport {
    const states = this.#workers().map(({ service }) => stateOf(service.status()));
    const workers: RuntimeSummary['workers'] = { total: states.length, idle: 0, busy: 0, stopped: 0, failed: 0 };
    for (const state of states) workers[state] += 1;
    const message = 'Its workers are services of plugins: they take inputs as ingress events and have no transcript.';
    return {
      status: 'running',
      workers,
      diagnostics: [{ at: this.#since, level: 'info', code: 'compatibility', message }],
    };
  }

  profiles(): [] {
    return [];
  }

  list(after: string | undefined, limit: number): WorkerSlice {
    const behind = this.#workers()
      .filter(({ id }) => after === undefined || id > after)
      .sort((one, other) => (one.id < other.id ? -1 : 1));
    return {
      workers: behind.slice(0, limit).map((worker) => this.#summary(worker, worker.service.status())),
      more: behind.length > limit,
    };
  }

  show(workerId: string): WorkerView {
    const worker = this.#get(workerId);
    const status = worker.service.status();
    const kinds = inputKind.options.filter((kind) => entranceOf(worker.plugin, kind) !== undefined);
    return {
      ...this.#summary(worker, status),
      capabilities: { ...capabilities, canSendInput: kinds.length > 0 },
      implementation: { kind: this.kind, isolation: status.isolation, incarnation: status.incarnation },
      inputs: { pending: status.queue.depth, capacity: status.queue.capacity, kinds, running: null },
      transcript: { firstSequence: 1, totalItems: 0, keptItems: 0, keptBytes: 0 },
      diagnostics: diagnosticsOf(status),
    };
  }

  input(workerId: string, { kind, content, inputId }: InputRequest): Awaitable<InputAnswer> {
    const { plugin, service } = this.#get(workerId);
    // Two services may be given the same id.
    const key = inputId === undefined ? undefined : `${workerId}/${inputId}`;
    const before = this.#answered.find(key, [kind, content]);
    if (before !== undefined) return before;
    const entrance = entranceOf(plugin, kind);
    if (entrance === undefined) throw noEntrance(workerId, kind);
    const event = { ...entrance, source, payload: { text: content } };
    const answerOf = ({ eventId }: Accepted): InputAnswer => ({
      state: 'accepted',
      sequence: service.status().counters.enqueued,
      eventId,
    });
    const accepted = published(service, workerId, event);
    const answer = accepted instanceof Promise ? accepted.then(answerOf) : answerOf(accepted);
    this.#answered.keep(key, [kind, content], answer);
    if (answer instanceof Promise) answer.catch(() => this.#answered.forget((kept) => kept === answer));
    return answer;
  }

  /** Answers when the stop has begun: a service may drain for longer than a runtime may take to answer. */
  stop(workerId: string): WorkerChange {
    const { service } = this.#get(workerId);
    const changed = !restful.includes(service.lifecycle);
    // The service tells its journal how its stop went.
    if (changed) void service.stop();
    return { runtimeId: this.runtimeId, workerId, state: stateOf(service.status()), changed };
  }

  create(): never {
    throw this.#unsupported('made by loading a plugin', '`nagaya load`');
  }

  cancel(): never {
    throw this.#unsupported('not cancelled', '`nagaya stop`');
  }

  transcript(): never {
    throw this.#unsupported('without a transcript', '`nagaya timeline`');
  }

  state(workerId: string): Promise<KeptStateText> {
    return this.#get(workerId).service.state();
  }

  events(): never {
    throw this.#unsupported('followed by events.subscribe', 'events.subscribe');
  }

  subscribe(): never {
    throw this.#unsupported('followed by events.subscribe', 'events.subscribe');
  }

  /** The host stops its services itself, in their order. */
  async close(): Promise<void> {}

  #workers(): LocalWorker[] {
    return this.#deps
      .owners()
      .flatMap(({ id, plugin, service, timeline }) =>
        service === undefined ? [] : [{ id, plugin, service, timeline }],
      );
  }

  #get(workerId: string): LocalWorker {
    const worker = this.#workers().find(({ id }) => id === workerId);
    if (worker === undefined)
      throw new HostError(
        'worker_not_found',
        `The runtime ${this.runtimeId} has no worker ${JSON.stringify(workerId)}.`,
        { runtimeId: this.runtimeId, workerId },
      );
    return worker;
  }

  #summary({ id, plugin, timeline }: LocalWorker, status: ServiceStatus): WorkerSummary {
    const createdAt = status.startedAt ?? this.#since;
    return {
      runtimeId: this.runtimeId,
      workerId: id,
      displayName: plugin.manifest.name,
      intent: plugin.manifest.description,
      profile: null,
      state: stateOf(status),
      createdAt,
      lastActiveAt: timeline.newest(1)[0]?.at ?? createdAt,
    };
  }

  #unsupported(how: string, instead: string): HostError {
    return new HostError('unsupported_operation', `The workers of ${this.runtimeId} are services: they are ${how}.`, {
      runtimeId: this.runtimeId,
      kind: this.kind,
      instead,
    });
  }
}

/** The end of one event is not the end of a service, so there is no `cancelled`. */
function stateOf({ lifecycle, inFlight, queue, restart }: ServiceStatus): Exclude<WorkerState, 'cancelled'> {
  if (lifecycle === 'ready' || lifecycle === 'stopped') return 'stopped';
  if (lifecycle === 'failed') return restart?.pending === true ? 'busy' : 'failed';
  return lifecycle === 'running' && inFlight === null && queue.depth === 0 ? 'idle' : 'busy';
}

/** The plugin's own words stay with the operator. */
function diagnosticsOf({ lastError }: ServiceStatus): RuntimeDiagnostic[] {
  return lastError === null
    ? []
    : [{ at: lastError.at, level: 'error', code: lastError.code, message: errorKinds[lastError.code].meaning }];
}

/** The first ingress that takes inputs of this kind, and as which kind of event. */
function entranceOf(plugin: LoadedPlugin, kind: InputKind): { ingress: string; kind: string } | undefined {
  const ingresses = plugin.manifest.service?.ingresses ?? [];
  for (const wanted of kind === 'user' ? [kind, defaultKind] : [kind]) {
    const found = ingresses.find(({ kinds }) => kinds.includes(wanted));
    if (found !== undefined) return { ingress: found.name, kind: wanted };
  }
  return undefined;
}

function noEntrance(workerId: string, kind: InputKind): HostError {
  const kinds = kind === 'user' ? `"${kind}" or "${defaultKind}"` : `"${kind}"`;
  return new HostError(
    'unsupported_operation',
    `This service takes no inputs of the kind ${kind}: none of its ingresses declares the kind ${kinds}.`,
    { runtimeId: localRuntimeId, workerId, instead: '`nagaya publish` with an ingress and kind that it declares' },
  );
}

function published(service: Service, workerId: string, event: object): Accepted | Promise<Accepted> {
  const refused = (thrown: unknown): never => {
    throw thrown instanceof HostError ? asWorkerError(thrown, workerId) : thrown;
  };
  try {
    const accepted = service.publish(event);
    return accepted instanceof Promise ? accepted.catch(refused) : accepted;
  } catch (thrown) {
    return refused(thrown);
  }
}

/** What a service refuses, in the words of a worker. */
function asWorkerError(error: HostError, workerId: string): HostError {
  const { retryAfterMs, limit, maximum, lifecycle } = error.details;
  if (error.code === 'queue_full')
    return new HostError(
      'worker_busy',
      `As many events wait for this service as may. Raise plugins.overrides.${workerId}.${String(limit)} to let more wait.`,
      { workerId, limit, retryAfterMs },
    );
  if (error.code === 'invalid_event' && limit !== undefined)
    return new HostError(
      'payload_too_large',
      'The input is larger than an event of this service may be; limits.eventBytes sets this bound.',
      { limit, maximum },
    );
  if (['service_stopped', 'service_unavailable', 'service_failed'].includes(error.code))
    return new HostError('worker_stopped', 'This service does not run.', { workerId, lifecycle });
  return error;
}
