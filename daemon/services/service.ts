// One plugin's service as the rest of the host sees it: events go in, commands go in, its status comes out.
import { HostError, asHostError } from '../../protocol/errors.ts';
import type { CpuShare, Lifecycle, ServiceStatus } from '../../protocol/status.ts';
import { lossAccount } from '../files/loss-account.ts';
import { cellMeters } from '../isolates/cell-meters.ts';
import { Deadlines } from '../time/deadlines.ts';
import { Delivery } from './delivery.ts';
import { Books } from './books.ts';
import { EventTrail } from './event-trail.ts';
import type { EventRecord, OpenEvent } from '../../protocol/operations/telemetry.ts';
import { type EventStory, attemptsSince, eventStory, storedEvents } from './event-story.ts';
import { IdempotencyKeys } from './durable/idempotency-keys.ts';
import { type OwnerParts, keptOwner } from './durable/kept-owner.ts';
import { Intake, type Publication } from './intake.ts';
import { Journal } from './journal.ts';
import { Outcomes } from './outcomes.ts';
import { Retries } from './retries.ts';
import { Settlement } from './settlement.ts';
import type { Accepted, Answered, Refused } from './admitted.ts';
import { publishOrWait } from './publish-or-wait.ts';
import { IngressQueue } from '../dispatch/ingress-queue.ts';
import type { ReadEvent } from '../dispatch/read-event.ts';
import { type Handled, type Waiter, wholeEvent } from '../dispatch/queued-event.ts';
import type { Arrival, RunMemory } from './placed.ts';
import { PluginStatusCache } from './plugin-status-cache.ts';
import type { CapacityWaiter } from './capacity-waiters.ts';
import { ServiceController } from './service-controller.ts';
import type { ServicePlan } from '../dispatch/service-plan.ts';
import { type ServiceDeps, noCommands } from './service-deps.ts';
import { type ServiceFigures, queueFigures, serviceStatus } from './service-status.ts';
import type { KeptEvents, StopOptions, Stopped } from './stop-order.ts';

const noExtras = {};

export class Service {
  readonly #deps: ServiceDeps;
  readonly #journal: Journal;
  readonly #books: Books;
  readonly #intake: Intake;
  readonly #life: ServiceController;
  readonly #reported: PluginStatusCache;
  readonly #deadlines: Deadlines;
  readonly #setPaused: (paused: boolean) => void;
  readonly #pausedFor = new Set<string>();
  #cpuShare: CpuShare | null = null;
  readonly #settlement: Settlement;
  readonly #outcomes: Outcomes;

  constructor(plan: ServicePlan, deps: ServiceDeps) {
    const { clock, redact, deadLetters, limits, kept } = deps;
    this.#deps = deps;
    this.#journal = new Journal(plan.plugin.id, limits.diagnostics, clock, deps.outlets);
    this.#deadlines = new Deadlines(clock);
    const queue = new IngressQueue(plan.section.queue);
    const turn = deps.wakes.join(queue);
    const retries = new Retries({ queue, turn, clock });
    this.#books = new Books({
      clock,
      trail: new EventTrail(limits.eventTrail),
      account: lossAccount.of(plan.plugin.id),
      replayEnded: (letter, outcome) => deadLetters.replayEnded(letter, outcome),
    });
    this.#intake = new Intake(plan.plugin.id, plan.section, limits.eventBytes, {
      clock,
      queue,
      turn,
      retries,
      books: this.#books,
      journal: this.#journal,
      kept,
      placed: deps.placed,
      write: (changes) => deps.write?.(changes) ?? Promise.resolve(),
      keys: kept?.keys ?? new IdempotencyKeys(plan.plugin.id, limits, clock),
    });
    this.#settlement = new Settlement({
      commit: (event, effects) =>
        kept !== undefined && (event.place !== undefined || this.stores)
          ? kept.commit(event, effects)
          : (deps.commit?.(effects, event) ?? Promise.resolve()),
      failed: (incarnation, error) => this.#life.uncommitted(incarnation, error),
      pause: (paused) => this.#pause('settlement', paused),
    });
    const durable = (): boolean => this.stores;
    this.#setPaused = (paused) => {
      queue.pause(paused);
      if (!paused) turn.ask();
    };
    const outcomes = new Outcomes({
      settlement: this.#settlement,
      kept,
      books: this.#books,
      intake: this.#intake,
      journal: this.#journal,
      clock,
      redact,
      deadLetters,
      retries,
      state: deps.state,
      commands: deps.commands ?? noCommands,
      durable,
      retry: () => this.#life.plan.section.retry,
    });
    this.#outcomes = outcomes;
    this.#life = new ServiceController(plan, {
      ...deps,
      journal: this.#journal,
      books: this.#books,
      intake: this.#intake,
      outcomes,
      settlement: this.#settlement,
      durable,
      turn,
      began: () => void this.refreshReported(),
    });
    this.#reported = new PluginStatusCache(clock, redact);
    this.#goOnWithKept({ queue, retries, turn, outcomes });
  }

  /** What an earlier daemon kept of the queue comes first. */
  #goOnWithKept(parts: Pick<OwnerParts, 'queue' | 'retries' | 'turn'> & { readonly outcomes: Outcomes }): void {
    const { kept, clock } = this.#deps;
    if (kept === undefined) return;
    parts.queue.whenNeeded(() => kept.needed());
    const { order, maxAttempts } = this.#life.plan.section.retry;
    kept.attach(
      keptOwner({
        ...parts,
        books: this.#books,
        intake: this.#intake,
        journal: this.#journal,
        clock,
        holds: order === 'hold',
        maxAttempts,
        bury: (event) => parts.outcomes.buryUsedUp(event),
      }),
    );
  }

  /** Whether published events are stored before they are accepted. */
  get stores(): boolean {
    return this.#intake.durability === 'disk';
  }

  get lifecycle(): Lifecycle {
    return this.#life.state.lifecycle;
  }

  /** Whether an event that arrives now is queued. */
  get acceptsEvents(): boolean {
    return this.#life.state.acceptsEvents;
  }

  get runs(): RunMemory | undefined {
    return this.#deps.placed?.runs;
  }

  get subscribes(): boolean {
    return this.#deps.placed?.subscribes ?? true;
  }

  get incarnation(): number {
    return this.#life.incarnation;
  }

  /** It has failed, and nothing brings it back by itself. */
  get isGivenUp(): boolean {
    return this.lifecycle === 'failed' && !this.#life.state.supervisor.pending;
  }

  /** Cells that were given up and still exist. */
  get unkillable(): number {
    return this.#life.unkillable;
  }

  /** Resolves once the service runs; rejects with what its start ended in. */
  start(): Promise<void> {
    return this.#life.start();
  }

  /** Resolves when the service is stopped, also when it was. What went wrong meanwhile is in the answer. */
  stop(options: Partial<StopOptions> = {}): Promise<Stopped> {
    return this.#life.stop({ now: false, discard: false, ...options });
  }

  restart(): Promise<KeptEvents> {
    return this.#life.restart();
  }

  reload(plan: ServicePlan): Promise<KeptEvents> {
    return this.#life.reload(plan);
  }

  /** It never starts again: of what a stop would keep for the next start, only what is on disk is kept. */
  async stopForGood(options: Partial<StopOptions> = {}): Promise<Stopped> {
    const { discarded, error } = await this.stop(options);
    const dropped = this.#life.dropQueue('not_kept');
    return { kept: this.#intake.queue.size, discarded: discarded + dropped, error };
  }

  /** From here on it can only stop: its plugin is being unloaded, or the daemon ends. */
  retire(): void {
    this.#life.state.retire();
  }

  /** Ends its cells now, whatever they are doing: the last resort of a shutdown. */
  end(): void {
    this.#life.end();
  }

  /** Answers once it is queued, or stored where that is promised; throws or rejects where it is refused. */
  publish(raw: unknown, more: Publication = noExtras): Accepted | Promise<Accepted> {
    if (!this.stores) return this.#intake.publish(raw, more);
    return new Promise((resolve, reject) =>
      this.#intake.store(raw, (outcome) => (outcome instanceof HostError ? reject(outcome) : resolve(outcome)), more),
    );
  }

  /** Stores an event; `answered` is told once it is on disk, or why it is not. Throws where it is refused at once. */
  store(raw: unknown, answered: Answered): void {
    this.#intake.store(raw, answered);
  }

  /** Takes an event that waits in the cluster; false: it cannot be taken now. */
  take(event: ReadEvent, arrival: Arrival): boolean {
    return this.#intake.take(event, arrival, (...found) => this.#outcomes.isBuriedOnArrival(...found));
  }

  /** Another member takes over what has not had its outcome here. Returns how many events that are. */
  leaveQueue(): number {
    return this.#life.dropQueue('moved');
  }

  /** As one of a batch of which each has its own answer. */
  storeOne(raw: unknown, answered: (outcome: Accepted | Refused) => void, replay: Publication = noExtras): void {
    try {
      this.#intake.store(raw, (outcome) => answered(asAnswer(outcome)), replay);
    } catch (thrown) {
      answered(refusedBy(thrown));
    }
  }

  /** An event that another one led to, by an output. */
  publishSent(event: ReadEvent, hops: number): Accepted | Promise<Accepted> {
    return this.publish(event, { hops });
  }

  /** No event begins while its outputs have more to deliver than may wait. */
  pauseForOutputs(paused: boolean): void {
    this.#pause('outputs', paused);
  }

  /** No event begins while its plugin has used more than its share of the processor. */
  holdToShare(share: CpuShare | null): void {
    const wasPaused = this.#cpuShare?.state === 'paused';
    this.#cpuShare = share;
    const isPaused = share?.state === 'paused';
    if (isPaused !== wasPaused) this.#pause('processor', isPaused);
  }

  /** Undefined: there is no room. */
  tryPublish(raw: unknown): Accepted | Promise<Accepted | Refused> | undefined {
    if (!this.stores) return this.#intake.publishWhereRoom(raw);
    let told: (outcome: Accepted | Refused) => void = () => {};
    const answer = new Promise<Accepted | Refused>((resolve) => (told = resolve));
    return this.#intake.storeWhereRoom(raw, (outcome) => told(asAnswer(outcome))) ? answer : undefined;
  }

  awaitRoom(waiting: CapacityWaiter): () => void {
    return this.#intake.awaitRoom(waiting);
  }

  /** For a publisher that would rather wait than be refused; at once where nothing has to wait. */
  publishPatiently(
    events: readonly unknown[],
    timeoutMs: number,
    signal: () => AbortSignal,
  ): ReturnType<typeof publishOrWait> {
    return publishOrWait(this, events, { timeoutMs, clock: this.#deps.clock, signal });
  }

  /** As one of a batch: a refusal is its result. */
  publishOne(raw: unknown, replay: Publication = noExtras): Accepted | Refused | Promise<Accepted | Refused> {
    if (this.stores) return new Promise((resolve) => this.storeOne(raw, resolve, replay));
    return this.publishToMemory(raw, replay);
  }

  /** As `publishOne`, for a service that does not store its events. */
  publishToMemory(raw: unknown, replay: Publication = noExtras): Accepted | Refused {
    try {
      return this.#intake.publish(raw, replay);
    } catch (thrown) {
      return refusedBy(thrown);
    }
  }

  deliver(raw: unknown, timeoutMs: number): Promise<Handled> {
    return new Promise((resolve, reject) => this.deliverTo(raw, timeoutMs, { handled: resolve, refused: reject }));
  }

  /** Throws where the event is not queued; else the waiter is told within its time. */
  deliverTo(raw: unknown, timeoutMs: number, waiter: Waiter): void {
    const delivery = new Delivery(waiter, this.#deadlines);
    const event = this.#intake.deliver(raw, delivery);
    delivery.due(event.acceptedMs, timeoutMs, () => {
      const lane = this.#life.live?.lane;
      const takenBack = lane?.withdraw(delivery);
      const current = lane?.current();
      const running = current?.event.waiter === delivery && current.beganMs !== undefined;
      this.#intake.giveUpWaiting(event, timeoutMs, { takenBack, running });
    });
  }

  /** What `ctx.state` holds, as one JSON object. Rejects if the store cannot tell. */
  async state(): Promise<{ readonly json: string; readonly bytes: number }> {
    const { state } = this.#deps;
    return { json: (await state.snapshot()) ?? '{}', bytes: state.bytes };
  }

  status(): ServiceStatus {
    const life = this.#life;
    return serviceStatus({
      pluginId: life.plan.plugin.id,
      isolation: life.isolation,
      lifecycle: life.state.lifecycle,
      incarnation: life.incarnation,
      startedMs: life.state.since?.wallMs,
      clock: this.#deps.clock,
      books: this.#books,
      intake: this.#intake,
      lane: life.live?.lane,
      settling: this.#settlement.waiting,
      handleTimes: life.handleTimes(),
      journal: this.#journal,
      usage: life.live?.usage() ?? null,
      cpuShare: this.#cpuShare,
      unkillable: life.unkillable,
      malformed: life.malformed,
      restart: life.state.supervisor.view(),
      deadLetters: this.#deps.deadLetters.counts,
      sources: this.#deps.sources?.(life.plan.plugin.id) ?? [],
      outputs: (this.#deps.commands ?? noCommands).list(),
      state: { bytes: this.#deps.state.bytes, maxBytes: this.#deps.limits.stateBytes },
      reported: this.#reported.view(life.incarnation),
      log: this.#deps.cellLog.counts(),
      placement: this.#deps.placed?.status() ?? null,
      notes: life.plan.plugin.notes,
    });
  }

  /** With the system's figures of its cells taken now. */
  measured(): this {
    cellMeters.measure(this.#life.plan.plugin.id);
    return this;
  }

  /** What is told of it every few seconds: nothing that takes long to put together. */
  figures(): ServiceFigures {
    const life = this.#life;
    const lane = life.live?.lane;
    const { clock, deadLetters } = this.#deps;
    return {
      lifecycle: life.state.lifecycle,
      incarnation: life.incarnation,
      isUnkillable: life.unkillable > 0,
      queue: queueFigures({
        intake: this.#intake,
        lane,
        settling: this.#settlement.waiting,
        clock,
        startedMs: life.state.since?.wallMs,
      }),
      counters: this.#books.counters(lane?.begun()),
      latency: this.#books.latency,
      waits: this.#intake.queue.waits,
      handleTimes: life.handleTimes(),
      deadLetters: deadLetters.counts,
      lastError: this.#journal.lastError,
      restart: life.state.supervisor.view(),
    };
  }

  /** 0 at every instant: how many accepted events are neither settled, nor queued, nor in flight. */
  get unaccounted(): number {
    return this.#books.unaccounted(
      this.#intake.queue.size + (this.#life.live?.lane.inFlight ?? 0) + this.#settlement.waiting,
    );
  }

  /** Attempts at events that ended since so many had. */
  attemptsSince(made: number): { readonly made: number; readonly records: EventRecord[] } {
    return attemptsSince({ trail: this.#books.trail, clock: this.#deps.clock }, made);
  }

  /** What became of its newest events, or of one of them. */
  trail(id: string | undefined, limit: number): EventStory {
    return eventStory(
      { clock: this.#deps.clock, books: this.#books, intake: this.#intake, lane: this.#life.live?.lane },
      id,
      limit,
    );
  }

  /** Events with this id that are on disk alone. Rejects where the store does not work. */
  async stored(id: string, limit: number): Promise<OpenEvent[]> {
    const { clock, kept } = this.#deps;
    if (kept === undefined) return [];
    return await storedEvents({ clock, intake: this.#intake, lane: this.#life.live?.lane }, kept, id, limit);
  }

  /** The next so many events, whole. */
  waiting(count: number): unknown[] {
    const open = [...(this.#life.live?.lane.open() ?? []), ...this.#intake.queue.first(count)];
    return open.slice(0, count).map(wholeEvent);
  }

  /** Asks the plugin's own status(), for at most its deadline; the answer is found in `status()`. */
  async refreshReported(): Promise<void> {
    const { live, state, plan } = this.#life;
    if (live === undefined || state.lifecycle !== 'running' || !live.hasStatus) return;
    await this.#reported.refresh(live, plan.section.timeouts.statusMs);
  }

  #pause(reason: string, paused: boolean): void {
    if (paused) this.#pausedFor.add(reason);
    else this.#pausedFor.delete(reason);
    this.#setPaused(this.#pausedFor.size > 0);
  }
}

const refusedBy = (thrown: unknown): Refused => ({ accepted: false, error: asHostError(thrown).toWire() });

const asAnswer = (outcome: Accepted | HostError): Accepted | Refused =>
  outcome instanceof HostError ? refusedBy(outcome) : outcome;
