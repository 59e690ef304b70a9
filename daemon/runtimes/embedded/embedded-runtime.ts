// The runtime that lives in this process: workers that the store keeps, made and forgotten within bounds, their
// programs in cells. It has no endpoint, no token and no path, so nothing of the kind can show in what it tells of
// itself.
import { randomBytes } from 'node:crypto';
import { HostError, asHostError } from '../../../protocol/errors.ts';
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
import { EmbeddedWorker, workerCapabilities } from './embedded-worker.ts';
import type { Profile, Program } from '../programs/program.ts';
import { IdempotencyCache, digestOf } from '../idempotency-cache.ts';
import type {
  Awaitable,
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
import { type StoredWorker, findWorkers, readWorker } from './stored-workers.ts';
import type { WorkerDeps } from './worker-deps.ts';
import { type WorkerBirth, removeWorker } from './worker-record.ts';
import { WorkerRoom } from './worker-room.ts';

/** What programs there are to run. */
export interface ProfileSource {
  find(name: string): Profile | undefined;
  list(): readonly ProfileSummary[];
  /** The program of a worker that was made before; what it runs may be gone by now, which its next input is told. */
  reopen(name: string, worker: { readonly runtimeId: string; readonly workerId: string }): Program;
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
  readonly moreMs: number;
  readonly #deps: WorkerDeps;
  readonly #profiles: ProfileSource;
  readonly #room: WorkerRoom;
  /** Oldest first: the ids sort by time. One that an earlier daemon kept is read when it is wanted. */
  #workers = new Map<string, EmbeddedWorker | StoredWorker>();
  readonly #reading = new Map<string, Promise<EmbeddedWorker>>();
  readonly #created: IdempotencyCache<Awaitable<string>>;
  /** Ids of workers that were refused, and may be in the store all the same. */
  readonly #refused = new Set<string>();
  #isFound = false;
  #mayBegin = false;
  #closed = false;

  constructor(profiles: ProfileSource, deps: Omit<WorkerDeps, 'mayBegin'>) {
    this.#profiles = profiles;
    this.moreMs = deps.limits.storeMs;
    this.#deps = { ...deps, mayBegin: () => this.#mayBegin };
    this.#room = new WorkerRoom(deps.limits.workers);
    this.#created = new IdempotencyCache(deps.limits.workerKeys, 'requestKey');
    this.capabilities = {
      canListWorkers: true,
      canShowWorker: true,
      canCreateWorker: true,
      ...workerCapabilities,
      maxWorkers: deps.limits.workers,
    };
    deps.store.onReopened(() => void this.#reopened());
  }

  /** Finds the workers that an earlier daemon kept. Rejects if the store cannot be read now; it is read when it can. */
  async open(): Promise<void> {
    const { workers, damaged } = await findWorkers(this.#deps.store, this.runtimeId);
    this.#isFound = true;
    for (const worker of workers) {
      const { workerId, request } = worker.birth;
      if (this.#workers.has(workerId)) continue;
      this.#workers.set(workerId, worker);
      if (request !== undefined) this.#created.restore({ ...request, answer: workerId });
    }
    this.#workers = new Map([...this.#workers].sort(([one], [other]) => (one < other ? -1 : 1)));
    for (const worker of damaged) this.#tellDamaged(worker.birth, 'what it was for');
  }

  /** The plugins are there: inputs that were waiting when the daemon ended run, and those that ran are ended. */
  async resume(): Promise<void> {
    this.#mayBegin = true;
    if (!this.#isFound) {
      try {
        await this.open();
      } catch {
        // It is tried again when the store is opened next.
        return;
      }
    }
    for (const [workerId, worker] of this.#workers) {
      if (worker instanceof EmbeddedWorker) worker.go();
      // One that cannot be read now is read when it is asked for, and keeps nobody else waiting.
      else if (worker.hasOpenInputs) await this.#read(workerId, worker).catch(() => undefined);
    }
  }

  report(): RuntimeReport {
    const counts: RuntimeSummary['workers'] = { total: this.#workers.size, idle: 0, busy: 0, stopped: 0, failed: 0 };
    for (const { state } of this.#workers.values()) counts[state === 'cancelled' ? 'idle' : state] += 1;
    const { forgotten } = this.#room;
    const at = new Date(this.#deps.clock.wallMs()).toISOString();
    const diagnostics =
      forgotten === 0
        ? []
        : [
            {
              at,
              level: 'info' as const,
              code: 'workers_forgotten',
              message: `${plural(forgotten, 'worker that had stopped or failed was', 'workers that had stopped or failed were')} forgotten to make room.`,
            },
          ];
    return { status: this.#closed ? 'stopped' : 'running', workers: counts, diagnostics };
  }

  profiles(): ProfileSummary[] {
    return this.#profiles.list().map(({ name, description }) => ({ name, description }));
  }

  list(after: string | undefined, limit: number): WorkerSlice {
    this.#mustBeFound();
    const behind = [...this.#workers.values()].filter(({ birth }) => after === undefined || birth.workerId > after);
    return { workers: behind.slice(0, limit).map((worker) => worker.summary()), more: behind.length > limit };
  }

  show(workerId: string): Awaitable<WorkerView> {
    return this.#with(workerId, (worker) => worker.view());
  }

  /** It is answered when the worker is on disk. */
  create({ intent, profile, requestedName, requestKey }: CreateRequest): Awaitable<WorkerView> {
    const request = [intent, profile ?? null, requestedName ?? null];
    // It may have made a worker for an earlier daemon.
    if (requestKey !== undefined) this.#mustBeFound();
    const before = this.#created.find(requestKey, request);
    if (before !== undefined) return before instanceof Promise ? before.then((id) => this.show(id)) : this.show(before);
    if (this.#closed) throw this.#endedError();
    this.#checkLength('intent', intent, 'workerIntentLength');
    this.#checkLength('requestedName', requestedName ?? '', 'workerNameLength');
    const chosen = this.#profile(profile);
    const leaving = this.#room.take(this.#workers);
    const workerId = this.#deps.newId();
    const made = this.#make(
      {
        runtimeId: this.runtimeId,
        workerId,
        displayName: requestedName ?? `${chosen.name} ${workerId.slice(-8)}`,
        intent,
        profile: chosen.name,
        createdAt: new Date(this.#deps.clock.wallMs()).toISOString(),
        life: randomBytes(9).toString('base64url'),
        ...(requestKey === undefined ? {} : { request: { key: requestKey, digest: digestOf(request) } }),
      },
      chosen,
      leaving,
    );
    this.#created.keep(requestKey, request, made);
    made.then(
      () => this.#created.keep(requestKey, request, workerId),
      () => this.#created.forget((answer) => answer === made),
    );
    return made.then((id) => this.show(id));
  }

  input(workerId: string, input: InputRequest): Awaitable<InputAnswer> {
    return this.#with(workerId, (worker) => worker.input(input));
  }

  stop(workerId: string): Awaitable<WorkerChange> {
    return this.#with(workerId, (worker) => {
      const done = (changed: boolean): WorkerChange => this.#change(worker, changed);
      return map(worker.stop(), done);
    });
  }

  cancel(workerId: string, which: CancelRequest): Awaitable<InputCancellation> {
    return this.#with(workerId, (worker) => {
      const meant = 'eventId' in which ? which.eventId : worker.ranAt(which.ranAtMs);
      const done = (changed: boolean): InputCancellation => ({ ...this.#change(worker, changed), eventId: meant });
      return meant === null ? done(false) : map(worker.cancel(meant), done);
    });
  }

  transcript(workerId: string, start: number, limit: number): Awaitable<TranscriptPage> {
    return this.#with(workerId, (worker) => worker.transcript(start, limit));
  }

  state(workerId: string): Awaitable<KeptStateText> {
    return this.#with(workerId, (worker) => worker.keptState());
  }

  events(workerId: string, request: EventsRequest): Awaitable<WorkerEventPage> {
    return this.#with(workerId, (worker) => worker.events.page(request));
  }

  subscribe(workerId: string, listener: WorkerListener): Awaitable<WorkerSubscription> {
    return this.#with(workerId, (worker) => worker.events.subscribe(listener));
  }

  async close(deadlineMs: number): Promise<void> {
    this.#closed = true;
    this.#mayBegin = false;
    const read = [...this.#workers.values()].filter((worker) => worker instanceof EmbeddedWorker);
    await Promise.all(read.map((worker) => worker.suspend(deadlineMs)));
  }

  #change(worker: EmbeddedWorker, changed: boolean): WorkerChange {
    return { runtimeId: this.runtimeId, workerId: worker.birth.workerId, state: worker.state, changed };
  }

  #with<Answer>(workerId: string, question: (worker: EmbeddedWorker) => Awaitable<Answer>): Awaitable<Answer> {
    const worker = this.#workers.get(workerId);
    if (worker === undefined) {
      this.#mustBeFound();
      throw this.#notFound(workerId);
    }
    if (!(worker instanceof EmbeddedWorker)) return this.#read(workerId, worker).then(question);
    // What the end of the daemon before means for it is shown before anything else.
    const reading = this.#reading.get(workerId);
    return reading === undefined ? question(worker) : reading.then(question);
  }

  /** Whoever asks meanwhile waits for the same reading. */
  #read(workerId: string, stored: StoredWorker): Promise<EmbeddedWorker> {
    const reading =
      this.#reading.get(workerId) ??
      this.#readStored(workerId, stored).finally(() => {
        this.#reading.delete(workerId);
      });
    this.#reading.set(workerId, reading);
    return reading;
  }

  async #readStored(workerId: string, stored: StoredWorker): Promise<EmbeddedWorker> {
    const { birth } = stored;
    const kept = await readWorker(this.#deps.store, stored);
    if (this.#closed) throw this.#endedError();
    if (this.#workers.get(workerId) !== stored) throw this.#notFound(workerId);
    const { runtimeId } = this;
    const worker = new EmbeddedWorker(
      birth,
      this.#profiles.reopen(birth.profile, { runtimeId, workerId }),
      this.#deps,
      kept,
    );
    this.#workers.set(workerId, worker);
    if (kept.damaged > 0) this.#tellDamaged(birth, plural(kept.damaged, 'value'));
    await worker.ready();
    return worker;
  }

  async #make(
    birth: WorkerBirth,
    chosen: Profile,
    leaving: EmbeddedWorker | StoredWorker | undefined,
  ): Promise<string> {
    const { workerId } = birth;
    const worker = new EmbeddedWorker(birth, chosen.open({ runtimeId: this.runtimeId, workerId }), this.#deps);
    try {
      const room = leaving === undefined ? [] : removeWorker(leaving.birth.workerId);
      await this.#deps.store.commit([...room, ...worker.beginning()]);
    } catch (thrown) {
      worker.forget();
      const error = asHostError(thrown);
      if (error.code !== 'storage_full') this.#refused.add(workerId);
      throw error;
    } finally {
      this.#room.settle(leaving);
    }
    this.#workers.set(workerId, worker);
    if (leaving !== undefined) this.#forget(leaving);
    return workerId;
  }

  #forget(worker: EmbeddedWorker | StoredWorker): void {
    const { workerId } = worker.birth;
    this.#workers.delete(workerId);
    this.#created.forget((id) => id === workerId);
    this.#room.forgotten += 1;
    if (worker instanceof EmbeddedWorker) worker.forget();
  }

  /** What was written may be gone, or may be what was refused. */
  async #reopened(): Promise<void> {
    if (this.#closed) return;
    try {
      if (this.#isFound) await this.#compare();
      else if (this.#mayBegin) await this.resume();
      else await this.open();
    } catch {
      // The store has told the operator why; it is read when it is opened next.
    }
  }

  async #compare(): Promise<void> {
    const { store, log } = this.#deps;
    const refused = [...this.#refused];
    if (refused.length > 0) await store.commit(refused.flatMap((workerId) => removeWorker(workerId)));
    for (const workerId of refused) this.#refused.delete(workerId);
    const found = new Set((await findWorkers(store, this.runtimeId)).workers.map(({ birth }) => birth.workerId));
    for (const [workerId, worker] of this.#workers) {
      if (worker instanceof EmbeddedWorker) worker.go('spoilt');
      else if (!found.has(workerId)) {
        this.#workers.delete(workerId);
        log.error({ runtime: this.runtimeId, worker: workerId }, 'a worker is lost: the store no longer holds it');
      }
    }
  }

  #tellDamaged({ workerId, profile }: WorkerBirth, what: string): void {
    const { log, note } = this.#deps;
    const message = `The worker ${workerId} is damaged on disk: ${what} could not be read, and is lost.`;
    log.error({ runtime: this.runtimeId, worker: workerId, profile }, message);
    note(profile, 'error', message);
  }

  /** Until the workers that an earlier daemon kept are known, nobody can be told that there is no such worker. */
  #mustBeFound(): void {
    if (this.#isFound || this.#closed) return;
    const { runtimeId } = this;
    const message = `The runtime ${runtimeId} is unavailable: the workers that an earlier daemon kept have not been read yet.`;
    throw new HostError('runtime_unavailable', message, { runtimeId, reason: 'not_read_yet' });
  }

  #notFound(workerId: string): HostError {
    const { runtimeId } = this;
    const message = `The runtime ${runtimeId} has no worker ${JSON.stringify(workerId)}.`;
    return new HostError('worker_not_found', message, { runtimeId, workerId });
  }

  #endedError(): HostError {
    return new HostError('runtime_unavailable', 'The runtime has ended.', { runtimeId: this.runtimeId });
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
}

const map = <From, To>(value: Awaitable<From>, to: (from: From) => To): Awaitable<To> =>
  value instanceof Promise ? value.then(to) : to(value);
