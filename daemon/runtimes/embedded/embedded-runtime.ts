// The runtime that lives in this process: workers in memory, made and forgotten within bounds, their programs in cells.
// It has no endpoint, no token and no path, so nothing of the kind can show in what it tells of itself.
import { HostError } from '../../../protocol/errors.ts';
import type {
  InputAnswer,
  InputCancellation,
  ProfileSummary,
  RuntimeCapabilities,
  RuntimeSummary,
  TranscriptPage,
  WorkerChange,
  WorkerEventPage,
  WorkerView,
} from '../../../protocol/runtime.ts';
import { plural } from '../../../protocol/plural.ts';
import { EmbeddedWorker, type WorkerDeps, workerCapabilities } from './embedded-worker.ts';
import type { Profile } from '../programs/program.ts';
import { IdempotencyCache } from '../idempotency-cache.ts';
import type {
  CancelRequest,
  CreateRequest,
  EventsRequest,
  InputRequest,
  Runtime,
  RuntimeReport,
  WorkerListener,
  WorkerSlice,
  WorkerSubscription,
} from '../runtime.ts';

/** What programs there are to run. */
export interface ProfileSource {
  find(name: string): Profile | undefined;
  list(): readonly ProfileSummary[];
}

export const embeddedRuntimeId = 'backend-internal';
export const defaultProfile = 'builtin:default';

/** Of a refusal's list of profiles. */
const shownProfiles = 20;

export class EmbeddedRuntime implements Runtime {
  readonly runtimeId = embeddedRuntimeId;
  readonly displayName = 'Embedded runtime';
  readonly kind = 'embedded';
  readonly capabilities: RuntimeCapabilities;
  readonly #deps: WorkerDeps;
  readonly #profiles: ProfileSource;
  /** Oldest first: the ids sort by time. */
  readonly #workers = new Map<string, EmbeddedWorker>();
  readonly #created: IdempotencyCache<string>;
  #forgotten = 0;
  #closed = false;

  constructor(profiles: ProfileSource, deps: WorkerDeps) {
    this.#profiles = profiles;
    this.#deps = deps;
    this.#created = new IdempotencyCache(deps.limits.workerKeys, 'requestKey');
    this.capabilities = {
      canListWorkers: true,
      canShowWorker: true,
      canCreateWorker: true,
      ...workerCapabilities,
      maxWorkers: deps.limits.workers,
    };
  }

  report(): RuntimeReport {
    const counts: RuntimeSummary['workers'] = { total: this.#workers.size, idle: 0, busy: 0, stopped: 0, failed: 0 };
    for (const { state } of this.#workers.values()) counts[state === 'cancelled' ? 'idle' : state] += 1;
    const at = new Date(this.#deps.clock.wallMs()).toISOString();
    const diagnostics =
      this.#forgotten === 0
        ? []
        : [
            {
              at,
              level: 'info' as const,
              code: 'workers_forgotten',
              message: `${plural(this.#forgotten, 'worker that had stopped or failed was', 'workers that had stopped or failed were')} forgotten to make room.`,
            },
          ];
    return { status: this.#closed ? 'stopped' : 'running', workers: counts, diagnostics };
  }

  profiles(): ProfileSummary[] {
    return this.#profiles.list().map(({ name, description }) => ({ name, description }));
  }

  list(after: string | undefined, limit: number): WorkerSlice {
    const behind = [...this.#workers.values()].filter(({ birth }) => after === undefined || birth.workerId > after);
    return { workers: behind.slice(0, limit).map((worker) => worker.summary()), more: behind.length > limit };
  }

  show(workerId: string): WorkerView {
    return this.#get(workerId).view();
  }

  create({ intent, profile, requestedName, requestKey }: CreateRequest): WorkerView {
    const request = [intent, profile ?? null, requestedName ?? null];
    const before = this.#created.find(requestKey, request);
    if (before !== undefined) return this.#get(before).view();
    if (this.#closed)
      throw new HostError('runtime_unavailable', 'The runtime has ended.', { runtimeId: this.runtimeId });
    this.#checkLength('intent', intent, 'workerIntentLength');
    this.#checkLength('requestedName', requestedName ?? '', 'workerNameLength');
    const chosen = this.#profile(profile);
    this.#makeRoom();
    const { runtimeId } = this;
    const workerId = this.#deps.newId();
    const program = chosen.open({ runtimeId, workerId });
    const displayName = requestedName ?? `${chosen.name} ${workerId.slice(-8)}`;
    const worker = new EmbeddedWorker(
      { runtimeId, workerId, displayName, intent, profile: chosen.name },
      program,
      this.#deps,
    );
    this.#workers.set(workerId, worker);
    this.#created.keep(requestKey, request, workerId);
    return worker.view();
  }

  input(workerId: string, input: InputRequest): InputAnswer {
    return this.#get(workerId).input(input);
  }

  stop(workerId: string): WorkerChange {
    const worker = this.#get(workerId);
    const changed = worker.stop();
    return { runtimeId: this.runtimeId, workerId, state: worker.state, changed };
  }

  cancel(workerId: string, which: CancelRequest): InputCancellation {
    const worker = this.#get(workerId);
    const meant = 'eventId' in which ? which.eventId : worker.ranAt(which.ranAtMs);
    const changed = meant !== null && worker.cancel(meant);
    return { runtimeId: this.runtimeId, workerId, state: worker.state, changed, eventId: meant };
  }

  transcript(workerId: string, start: number, limit: number): TranscriptPage {
    return this.#get(workerId).transcript(start, limit);
  }

  async events(workerId: string, request: EventsRequest): Promise<WorkerEventPage> {
    return await this.#get(workerId).events.page(request);
  }

  subscribe(workerId: string, listener: WorkerListener): WorkerSubscription {
    return this.#get(workerId).events.subscribe(listener);
  }

  async close(deadlineMs: number): Promise<void> {
    this.#closed = true;
    const workers = [...this.#workers.values()];
    for (const worker of workers) worker.stop();
    await Promise.all(workers.map((worker) => worker.close(deadlineMs)));
    for (const worker of workers) worker.events.close();
  }

  #get(workerId: string): EmbeddedWorker {
    const worker = this.#workers.get(workerId);
    if (worker === undefined)
      throw new HostError(
        'worker_not_found',
        `The runtime ${this.runtimeId} has no worker ${JSON.stringify(workerId)}.`,
        { runtimeId: this.runtimeId, workerId },
      );
    return worker;
  }

  #profile(name: string | undefined): Profile {
    const found = this.#profiles.find(name ?? defaultProfile);
    if (found !== undefined) return found;
    const profiles = this.#profiles
      .list()
      .slice(0, shownProfiles)
      .map((profile) => profile.name);
    throw new HostError(
      'profile_not_found',
      `There is no profile ${JSON.stringify(name ?? defaultProfile)}; runtime.show lists those there are.`,
      { profiles },
    );
  }

  #checkLength(field: string, text: string, limit: 'workerIntentLength' | 'workerNameLength'): void {
    const maximum = this.#deps.limits[limit];
    if (text.length <= maximum) return;
    throw new HostError(
      'payload_too_large',
      `${field} has ${plural(text.length, 'character')} and may have ${String(maximum)}; limits.${limit} sets this bound.`,
      { limit: `limits.${limit}`, maximum },
    );
  }

  /** Of those that are of no more use the one that was last used longest ago goes. */
  #makeRoom(): void {
    const maximum = this.#deps.limits.workers;
    if (this.#workers.size < maximum) return;
    const spent = [...this.#workers.values()].filter(
      (worker) => worker.atRest && (worker.state === 'stopped' || worker.state === 'failed'),
    );
    const oldest = spent.sort((one, other) => (one.summary().lastActiveAt < other.summary().lastActiveAt ? -1 : 1))[0];
    if (oldest === undefined) {
      throw new HostError(
        'runtime_full',
        `The runtime has ${plural(maximum, 'worker')}, which is the limit, and none of them has stopped or failed. Raise limits.workers to allow more.`,
        { limit: 'limits.workers', maximum },
      );
    }
    const { workerId } = oldest.birth;
    this.#workers.delete(workerId);
    this.#created.forget((id) => id === workerId);
    this.#forgotten += 1;
    oldest.events.close();
    void oldest.close(this.#deps.limits.killMs);
  }
}
