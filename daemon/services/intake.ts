// Where events come in: admission, the bounded queue, and what becomes of events that leave the queue without having
// been handled. It knows nothing of cells.
import { HostError, invalid } from '../../protocol/errors.ts';
import type { Durability, ServiceSection } from '../../protocol/manifest.ts';
import type { Change } from '../../protocol/store/change.ts';
import type { Clock } from '../time/clock.ts';
import { type AdmissionState, neverStarted } from './admission-state.ts';
import { Admission, type AdmittedWith } from './admission.ts';
import type { Accepted, Answered } from './admitted.ts';
import type { Books, DiscardReason, Rejection } from './books.ts';
import type { IngressQueue } from '../dispatch/ingress-queue.ts';
import type { WakeTurn } from '../dispatch/wake-turns.ts';
import type { IdempotencyKeys, KnownKey } from './durable/idempotency-keys.ts';
import type { KeptQueue } from './durable/kept-queue.ts';
import type { Journal } from './journal.ts';
import { type Arrival, type IsBuried, type PlacedQueue, inPartition } from './placed.ts';
import type { ReadEvent } from '../dispatch/read-event.ts';
import { QueueBounds } from './queue-bounds.ts';
import type { Retries } from './retries.ts';
import { type QueuedEvent, type Waiter, idsOf } from '../dispatch/queued-event.ts';
import { CapacityWaiters, type CapacityWaiter } from './capacity-waiters.ts';

export interface Publication {
  /** The dead letter that it is a replay of. */
  readonly replayOf?: string | undefined;
  /** How many outputs the event came through. */
  readonly hops?: number;
  /** What else changes in the store when it is accepted. */
  readonly changes?: readonly Change[];
}

const discardWords: Readonly<Record<DiscardReason, string>> = {
  service_stopped: 'the service was stopped',
  service_failed: 'the service failed while its caller waited',
  caller_gave_up: 'its caller gave up waiting',
  moved: 'it waits in the cluster, for the member that takes the service over',
  not_kept: 'it was kept in memory only, and the plugin was unloaded or the daemon ended',
  damaged: 'it was damaged on disk',
};

const longestRetryMs = 10_000;
/** For advice to callers before the first event has told how long it takes. */
const unknownEventMs = 100;

export interface IntakeDeps {
  readonly queue: IngressQueue;
  /** Is told of each event that is queued. */
  readonly turn: WakeTurn;
  readonly retries: Retries;
  readonly books: Books;
  readonly journal: Journal;
  readonly clock: Clock;
  /** The queue on disk; undefined where nothing can be stored. */
  readonly kept: KeptQueue | undefined;
  readonly keys: IdempotencyKeys;
  /** Undefined where the events wait here. */
  readonly placed?: PlacedQueue | undefined;
  /** Into the store; needed where events are placed in a cluster. */
  write?(changes: readonly Change[]): Promise<void>;
}

export class Intake {
  readonly queue: IngressQueue;
  readonly #pluginId: string;
  readonly #eventBytes: number;
  #admission: Admission;
  readonly #books: Books;
  readonly #journal: Journal;
  readonly #clock: Clock;
  readonly #turn: WakeTurn;
  readonly #retries: Retries;
  #state = neverStarted;
  readonly #room = new CapacityWaiters();
  #offering = false;
  #highWater = 0;
  readonly #kept: KeptQueue | undefined;
  readonly #keys: IdempotencyKeys;
  readonly #placed: PlacedQueue | undefined;
  readonly #write: (changes: readonly Change[]) => Promise<void>;
  readonly #bounds: QueueBounds;

  constructor(pluginId: string, section: ServiceSection, eventBytes: number, deps: IntakeDeps) {
    this.#pluginId = pluginId;
    this.#eventBytes = eventBytes;
    this.queue = deps.queue;
    this.#admission = new Admission(section.ingresses, eventBytes, deps.clock);
    this.#books = deps.books;
    this.#journal = deps.journal;
    this.#clock = deps.clock;
    this.#turn = deps.turn;
    this.#retries = deps.retries;
    this.#kept = deps.kept;
    this.#keys = deps.keys;
    this.#placed = deps.placed;
    this.#write = (changes) => deps.write?.(changes) ?? Promise.resolve();
    this.#bounds = new QueueBounds(deps.queue, deps.kept, section.queue);
  }

  /** A reload may bring other ingresses and another capacity; what is queued stays. */
  replan(section: ServiceSection): void {
    this.#admission = new Admission(section.ingresses, this.#eventBytes, this.#clock);
    this.queue.resize(section.queue);
    this.#bounds.replan(section.queue);
  }

  /** Whether published events are stored before they are accepted. */
  get durability(): Durability {
    if (this.#placed !== undefined) return 'disk';
    return this.#bounds.durability;
  }

  /** Events without an outcome that are kept on disk. */
  get onDisk(): number {
    return this.#kept?.count ?? 0;
  }

  /** Events that come again and are on disk alone. */
  get retriesOnDisk(): number {
    return this.#kept?.retriesOnDisk ?? 0;
  }

  get highWater(): number {
    return this.#highWater;
  }

  /** Queues an event in memory, or throws why not. */
  publish(raw: unknown, { replayOf, hops }: Publication = {}): Accepted {
    const event = this.#admitted(raw, { replayOf, hops });
    const known = this.#known(event);
    if (known !== undefined) return this.#duplicate(known);
    this.#requireRoom(event);
    return this.#queueNow(event);
  }

  /** Undefined: the queue is full, and nobody is to be told of it. */
  publishWhereRoom(raw: unknown): Accepted | undefined {
    const event = this.#admitted(raw, {});
    const known = this.#known(event);
    if (known !== undefined) return this.#duplicate(known);
    return this.#hasRoom(event) ? this.#queueNow(event) : undefined;
  }

  /** Stores an event and then queues it; throws where it is refused at once. */
  store(raw: unknown, answered: Answered, { replayOf, hops, changes }: Publication = {}): void {
    if (this.#placed !== undefined)
      return this.#publishTo(this.#placed, this.#admit(raw, { replayOf, hops }), answered, changes);
    const event = this.#admitted(raw, { replayOf, hops });
    if (this.#repeats(event, answered)) return;
    this.#requireRoom(event);
    this.#storeNow(event, answered, changes);
  }

  /** False: there is no room, and nobody is to be told of it. */
  storeWhereRoom(raw: unknown, answered: Answered): boolean {
    if (this.#placed !== undefined) {
      this.#publishTo(this.#placed, this.#admit(raw, {}), answered);
      return true;
    }
    const event = this.#admitted(raw, {});
    if (this.#repeats(event, answered)) return true;
    if (!this.#hasRoom(event)) return false;
    this.#storeNow(event, answered);
    return true;
  }

  /**
   * Queues an event that waits in the cluster until it has had its outcome. False: it cannot be taken now. Its
   * publisher's plugin may be another version than this one: `unfit` says why it fits no ingress here. `isBuried`: it
   * has had its outcome.
   */
  take(event: ReadEvent, arrival: Arrival, isBuried: IsBuried): boolean {
    if (!this.#state.accepts) return false;
    const { event: admitted, fault } = this.#admission.arrived(event, arrival);
    if (isBuried(admitted, fault)) return true;
    if (!this.#hasRoom(admitted)) return false;
    this.#push(admitted);
    return true;
  }

  /** Queues an event whose outcome somebody waits for, or throws why not. It is never stored. */
  deliver(raw: unknown, waiter: Waiter): QueuedEvent {
    const event = inPartition(this.#admitted(raw, { waiter }), this.#placed);
    if (event.idempotencyKey !== undefined)
      throw this.#rejected(
        'invalidEvent',
        invalid('invalid_event', 'The event', [
          {
            path: 'idempotencyKey',
            message: 'is for ingress.publish: whoever waits for the output knows what came of it',
          },
        ]),
      );
    this.#requireRoom(event);
    const doubt = this.#kept?.doubt;
    if (doubt !== undefined) throw notStored(doubt);
    if (this.#kept?.follow(event) !== true) this.#push(event);
    return event;
  }

  /** An event that is not stored has its turn to be queued: behind the place `after` where that is not in memory. */
  follows(event: QueuedEvent, after: number | undefined): void {
    this.#books.accepted();
    if (after === undefined) this.queue.push(event);
    else this.queue.pushBehind(event, after);
    this.#turn.hurry();
    this.#noteDepth();
  }

  /** It is on disk, and is queued next. */
  stored(): void {
    this.#books.accepted(true);
    this.#noteDepth();
  }

  /** `waiting` is called when half of the queue is free, or the service takes no events any more. */
  awaitRoom(waiting: CapacityWaiter): () => void {
    return this.#room.wait(waiting);
  }

  /** Events that wait, without the one in flight. */
  get depth(): number {
    return this.#state.dispatches ? Math.max(0, this.#books.open - 1) : this.#books.open;
  }

  /** The service is in another state. Publishers that wait learn of it too. */
  become(state: AdmissionState): void {
    this.#state = state;
    if (this.#room.awaited) this.#offerSoon();
  }

  #admitted(raw: unknown, more: AdmittedWith): QueuedEvent {
    if (!this.#state.accepts) throw this.#rejected('notAccepting', this.notAccepting());
    return this.#admit(raw, more);
  }

  #known({ idempotencyKey }: QueuedEvent): KnownKey | undefined {
    return idempotencyKey === undefined ? undefined : this.#keys.find(idempotencyKey);
  }

  #duplicate({ eventId, correlationId }: KnownKey): Accepted {
    this.#books.duplicate();
    return { accepted: true, duplicate: true, eventId, correlationId, queueDepth: this.depth };
  }

  /** True: it was sent before, and whoever sent it again is told what the first one is told. */
  #repeats(event: QueuedEvent, answered: Answered): boolean {
    const known = this.#known(event);
    if (known === undefined) return false;
    if (known.waiting === undefined) answered(this.#duplicate(known));
    else known.waiting.push((error) => answered(error ?? this.#duplicate(known)));
    return true;
  }

  #remember(event: QueuedEvent, pending: boolean): void {
    if (event.idempotencyKey !== undefined) this.#keys.remember(event.idempotencyKey, event, pending);
  }

  #queueNow(event: QueuedEvent): Accepted {
    this.#remember(event, false);
    if (this.#kept?.follow(event) !== true) this.#push(event);
    return this.#accepted(event);
  }

  #storeNow(event: QueuedEvent, answered: Answered, changes?: readonly Change[]): void {
    const kept = this.#kept;
    if (kept === undefined) throw new HostError('internal', 'This service has no store.');
    const refusal = kept.refusal();
    if (refusal !== undefined) throw notStored(refusal);
    this.#remember(event, true);
    const told = (error?: HostError): void => answered(error === undefined ? this.#accepted(event) : notStored(error));
    kept.offer(event, told, changes ?? []);
  }

  #accepted({ eventId, correlationId }: QueuedEvent): Accepted {
    return { accepted: true, eventId, correlationId, queueDepth: this.depth };
  }

  #publishTo(placed: PlacedQueue, event: QueuedEvent, answered: Answered, changes: readonly Change[] = []): void {
    placed.publish(event, (outcome) => {
      if (outcome instanceof HostError) return answered(outcome);
      const { eventId, correlationId, duplicate } = outcome;
      if (duplicate) this.#books.duplicate();
      const { depth: queueDepth } = this;
      const tell = (): void =>
        answered({ accepted: true, ...(duplicate ? { duplicate } : {}), eventId, correlationId, queueDepth });
      // If the store cannot have them now, what led to the event stays there and leads to it once more.
      if (changes.length === 0) tell();
      else void this.#write(changes).then(tell, tell);
    });
  }

  #requireRoom(event: QueuedEvent): void {
    const limit = this.#bounds.lacks(event, this.depth);
    if (limit !== undefined) throw this.#rejected('queueFull', this.#full(limit, this.#bounds.words(limit)));
  }

  #hasRoom(event: QueuedEvent): boolean {
    return this.#bounds.lacks(event, this.depth) === undefined;
  }

  #push(event: QueuedEvent): void {
    this.#books.accepted();
    this.queue.push(event);
    if (event.waiter === undefined) this.#turn.ask();
    else this.#turn.hurry();
    this.#noteDepth();
  }

  #noteDepth(): void {
    this.#highWater = Math.max(this.#highWater, this.depth);
  }

  /** When what happens now is over: places come free in the middle of settling others. */
  #offerSoon(): void {
    if (this.#offering) return;
    this.#offering = true;
    this.#clock.soon(() => {
      this.#offering = false;
      if (!this.#state.accepts || this.#bounds.isHalfFree(this.depth)) this.#room.offer();
    });
  }

  /** An event has had its outcome, so publishers that wait may have room. */
  roomFreed(): void {
    if (this.#room.awaited) this.#offerSoon();
  }

  get stopping(): boolean {
    return this.#state.lifecycle === 'stopping';
  }

  discard(events: readonly QueuedEvent[], reason: DiscardReason, error: HostError = this.#discardError(reason)): void {
    const { incarnation } = this.#state;
    for (const event of events) {
      this.#books.discarded(event, reason, incarnation);
      this.#kept?.done(event);
      if (reason !== 'moved' && reason !== 'not_kept') event.origin?.done();
      this.#keys.discarded(event);
      this.roomFreed();
      this.#journal.note('warn', 'discarded', `An event was discarded: ${discardWords[reason]}.`, incarnation, {
        reason,
        ...idsOf(event),
      });
      event.waiter?.refused(error);
    }
  }

  /** For `not_kept`, only what would be lost with the daemon. Returns how many events that were. */
  discardQueued(reason: DiscardReason): number {
    if (this.queue.size === 0) return 0;
    const absent = reason === 'not_kept' || reason === 'moved' ? 0 : (this.#kept?.discardAbsent() ?? 0);
    if (absent > 0) this.#books.discardedUnseen(absent, reason);
    const removed = this.queue.removeWhere(({ place, origin }) =>
      reason === 'moved' ? origin?.isOver() === true : reason !== 'not_kept' || place === undefined,
    );
    this.#retries.rearm();
    this.discard(removed, reason);
    return removed.length + absent;
  }

  /**
   * A failed or stopped service keeps what was published until it is started again; who waits for an answer gets one
   * now.
   */
  refuseWaiting(reason: 'service_stopped' | 'service_failed'): void {
    if (this.queue.awaited > 0)
      this.discard(
        this.queue.removeWhere(({ waiter }) => waiter !== undefined),
        reason,
      );
  }

  #discardError(reason: DiscardReason): HostError {
    const { lifecycle } = this.#state;
    return reason === 'service_stopped'
      ? new HostError('service_stopped', `The service of ${this.#pluginId} was stopped before it handled the event.`, {
          plugin: this.#pluginId,
          lifecycle,
        })
      : this.notAccepting();
  }

  /**
   * The caller's own deadline. An event that has not begun is withdrawn from the queue, or was taken back from the cell
   * already; one that has begun goes on without its caller.
   */
  giveUpWaiting(
    event: QueuedEvent,
    timeoutMs: number,
    { takenBack, running }: { readonly takenBack: QueuedEvent | undefined; readonly running: boolean },
  ): void {
    // By its waiter: an event that comes again is another object for the same caller.
    const waiting =
      takenBack ?? this.queue.removeWhere(({ waiter }) => waiter === event.waiter)[0] ?? this.#takeFollower(event);
    const withdrawn = waiting !== undefined;
    const phase = running ? 'running' : 'queued';
    const error = new HostError(
      'dispatch_timeout',
      `The event was not handled within the ${String(timeoutMs)} ms its caller allowed; it was ${phase}${withdrawn ? ' and has been withdrawn' : ' and goes on without its caller'}.`,
      { phase, timeoutMs, withdrawn, ...idsOf(event) },
    );
    if (waiting !== undefined) this.discard([waiting], 'caller_gave_up', error);
    else event.waiter?.refused(error);
  }

  /** It was not queued yet: it counts as accepted now, to be discarded. */
  #takeFollower({ waiter }: QueuedEvent): QueuedEvent | undefined {
    const event = waiter === undefined ? undefined : this.#kept?.withdraw(waiter);
    if (event !== undefined) this.#books.accepted();
    return event;
  }

  notAccepting(): HostError {
    const { lifecycle, gaveUp } = this.#state;
    const id = this.#pluginId;
    if (lifecycle === 'failed') {
      return new HostError(
        'service_failed',
        `The service of ${id} has failed and is not coming back by itself${gaveUp === undefined ? '' : `: the supervisor gave up, ${gaveUp}`}.`,
        { plugin: id, lifecycle, ...(gaveUp === undefined ? {} : { gaveUp }), lastFailure: this.#journal.lastFailure },
      );
    }
    if (lifecycle === 'ready')
      return new HostError('service_unavailable', `The service of ${id} has not been started.`, {
        plugin: id,
        lifecycle,
      });
    return new HostError(
      'service_stopped',
      `The service of ${id} ${lifecycle === 'stopping' ? 'is stopping' : 'was stopped'}.`,
      { plugin: id, lifecycle },
    );
  }

  #admit(raw: unknown, more: AdmittedWith): QueuedEvent {
    try {
      return this.#admission.admit(raw, more);
    } catch (thrown) {
      if (thrown instanceof HostError) this.#rejected('invalidEvent', thrown);
      throw thrown;
    }
  }

  #rejected(why: Rejection, error: HostError): HostError {
    this.#books.rejected(why);
    this.#journal.rejection(error, this.#state.incarnation);
    return error;
  }

  /** Advice is the time in which a quarter of what waits is likely done. */
  #full(limit: string, size: string): HostError {
    const { depth } = this;
    const eventMs = this.#turn.eventMs ?? unknownEventMs;
    const retryAfterMs = Math.min(longestRetryMs, Math.max(1, Math.ceil((eventMs * depth) / 4)));
    return new HostError(
      'queue_full',
      `The queue of ${this.#pluginId} is full: ${size}. Raise plugins.overrides.${this.#pluginId}.${limit} to let more wait.`,
      { capacity: this.queue.capacity, depth, limit, retryAfterMs },
    );
  }
}

const notStored = (error: HostError): HostError =>
  new HostError(error.code, `${error.message} The event was not accepted.`, error.details);
