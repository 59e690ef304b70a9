// Where events come in: admission, the bounded queue, and what becomes of events that leave the queue without having
// been handled. It knows nothing of cells.
import { HostError } from '../../protocol/errors.ts';
import type { ServiceSection } from '../../protocol/manifest.ts';
import { plural } from '../../protocol/plural.ts';
import type { Clock } from '../time/clock.ts';
import { type AdmissionState, neverStarted } from './admission-state.ts';
import { Admission } from './admission.ts';
import type { Books, DiscardReason, Rejection } from './books.ts';
import type { IngressQueue } from '../dispatch/ingress-queue.ts';
import type { WakeTurn } from '../dispatch/wake-turns.ts';
import type { Journal } from './journal.ts';
import type { Retries } from './retries.ts';
import { type QueuedEvent, idsOf } from '../dispatch/queued-event.ts';
import { CapacityWaiters, type CapacityWaiter } from './capacity-waiters.ts';

type EventExtras = Pick<QueuedEvent, 'waiter' | 'replayOf' | 'hops'>;

const discardWords: Readonly<Record<DiscardReason, string>> = {
  service_stopped: 'the service was stopped',
  service_failed: 'the service failed while its caller waited',
  caller_gave_up: 'its caller gave up waiting',
  not_kept: 'it was kept in memory only, and the plugin was unloaded or the daemon ended',
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
  }

  /** A reload may bring other ingresses and another capacity; what is queued stays. */
  replan(section: ServiceSection): void {
    this.#admission = new Admission(section.ingresses, this.#eventBytes, this.#clock);
    this.queue.resize(section.queue);
  }

  get highWater(): number {
    return this.#highWater;
  }

  /** Queues the event, or throws why not. */
  accept(raw: unknown, more: EventExtras = {}): QueuedEvent {
    const event = this.#admitted(raw, more);
    if (!this.#hasRoom(event)) {
      if (this.depth >= this.queue.capacity)
        throw this.#rejected(
          'queueFull',
          this.#full('queue.capacity', plural(this.queue.capacity, 'event waits', 'events wait')),
        );
      throw this.#rejected(
        'queueFull',
        this.#full('queue.maxBytes', plural(this.queue.maxBytes, 'byte waits', 'bytes wait')),
      );
    }
    return this.#push(event);
  }

  /** Undefined: the queue is full, and nobody is to be told of it. */
  acceptWhereRoom(raw: unknown): QueuedEvent | undefined {
    const event = this.#admitted(raw, {});
    return this.#hasRoom(event) ? this.#push(event) : undefined;
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

  #admitted(raw: unknown, more: EventExtras): QueuedEvent {
    if (!this.#state.accepts) throw this.#rejected('notAccepting', this.notAccepting());
    return this.#admit(raw, more);
  }

  #hasRoom(event: QueuedEvent): boolean {
    return this.depth < this.queue.capacity && this.queue.bytes + event.bytes <= this.queue.maxBytes;
  }

  #push(event: QueuedEvent): QueuedEvent {
    this.#books.accepted();
    this.queue.push(event);
    if (event.waiter === undefined) this.#turn.ask();
    else this.#turn.hurry();
    this.#highWater = Math.max(this.#highWater, this.depth);
    return event;
  }

  /** When what happens now is over: places come free in the middle of settling others. */
  #offerSoon(): void {
    if (this.#offering) return;
    this.#offering = true;
    this.#clock.soon(() => {
      this.#offering = false;
      if (
        !this.#state.accepts ||
        (this.depth <= this.queue.capacity / 2 && this.queue.bytes <= this.queue.maxBytes / 2)
      )
        this.#room.offer();
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
      this.roomFreed();
      this.#journal.note('warn', 'discarded', `An event was discarded: ${discardWords[reason]}.`, incarnation, {
        reason,
        ...idsOf(event),
      });
      event.waiter?.refused(error);
    }
  }

  discardQueued(reason: DiscardReason): void {
    if (this.queue.size === 0) return;
    const removed = this.queue.removeWhere(() => true);
    this.#retries.rearm();
    this.discard(removed, reason);
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
    const waiting = takenBack ?? this.queue.removeWhere(({ waiter }) => waiter === event.waiter)[0];
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

  #admit(raw: unknown, more: EventExtras): QueuedEvent {
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
