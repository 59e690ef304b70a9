// A service of which one instance lives in the cluster, on this member: it runs while this member has the lease, takes
// its events from the stream, and is ended at once when the lease is over. Nothing it ends counts under a lease that
// is not in force.
import type {
  ArrivedEvent,
  FromCluster,
  LeaseHolder,
  PlacedService as PlacedTerms,
  PlacedState as StoredState,
} from '../../protocol/cluster/messages.ts';
import type { AttemptStory } from '../../protocol/dead-letter.ts';
import { HostError, asHostError } from '../../protocol/errors.ts';
import type { Placement } from '../../protocol/manifest.ts';
import type { PlacementStatus } from '../../protocol/status.ts';
import type { QueuedEvent } from '../dispatch/queued-event.ts';
import type { StateStore } from '../dispatch/kept-state.ts';
import { ReadEvent } from '../dispatch/read-event.ts';
import type { MoveListener, PlacedQueue, Published } from '../services/placed.ts';
import {
  type ClusterService,
  type ClusterServiceDeps,
  type Lease,
  type Stored,
  isBefore,
  laterText,
  leftMs,
  placementPromises,
} from './cluster-service.ts';
import { FailedAttempts } from './failed-attempts.ts';
import { PlacedRecords } from './placed-records.ts';
import { PlacedState } from './placed-state.ts';
import { streamedMessage } from './streamed-message.ts';

export interface PlacedServiceDeps extends ClusterServiceDeps {
  readonly terms: Omit<PlacedTerms, 'wanted'> & { readonly placement: Placement };
  publish(messageId: string, body: string, answered: Stored): void;
  holder(): LeaseHolder | undefined;
}

/** Events that the instance has and that have not had their outcome. */
const mostInFlight = 256;
const againMs = 100;

export const inFlightOf = (capacity: number): number => Math.min(mostInFlight, capacity);

export class PlacedService implements ClusterService {
  readonly plugin: string;
  /** The plugin, or what of it has the instance of this member. */
  readonly unit: string;
  readonly #deps: PlacedServiceDeps;
  #wanted = false;
  #lease: Lease | undefined;
  #expiry: NodeJS.Timeout | undefined;
  /** Starts and ends of the instance, one after the other. */
  #turn: Promise<void> = Promise.resolve();
  #leaving = false;
  /** What is over does not come back: a renewal may have been on its way. */
  #overFence = 0;
  /** What ctx.state holds at the beginning of a lease. */
  #adopted: StoredState | undefined;
  readonly #state: PlacedState;
  #adopt: (values: StoredState['values']) => void = () => undefined;
  readonly records: PlacedRecords;
  readonly #attempts: FailedAttempts;
  readonly #movers: MoveListener[] = [];
  #backlog: ArrivedEvent[] = [];
  #again: NodeJS.Timeout | undefined;
  #done: number[] = [];
  readonly #whenStarted: ((failure: unknown) => void)[] = [];

  constructor(deps: PlacedServiceDeps) {
    this.#deps = deps;
    this.plugin = deps.plugin;
    this.unit = deps.terms.plugin;
    this.#state = new PlacedState({
      plugin: this.unit,
      post: (message) => deps.post(message),
      fence: () => this.fence,
      broken: (why) => this.#end(why),
    });
    this.records = new PlacedRecords({
      plugin: this.unit,
      post: (message) => deps.post(message),
      fence: () => this.fence,
    });
    this.#attempts = new FailedAttempts(this.records);
  }

  readonly partitions = undefined;
  readonly subscribes = true;

  get terms(): readonly PlacedTerms[] {
    const { placement: _placement, ...terms } = this.#deps.terms;
    return [{ ...terms, wanted: this.#wanted }];
  }

  has(unit: string): boolean {
    return unit === this.unit;
  }

  memberFor(): string | null {
    return this.#deps.holder()?.member ?? null;
  }

  partitionHere(): undefined {
    return undefined;
  }

  membersChanged(): void {
    // Its place is decided by its one lease alone.
  }

  get placement(): Placement {
    return this.#deps.terms.placement;
  }

  /** Undefined where this member has no lease in force. */
  get fence(): number | undefined {
    return this.isInForce ? this.#lease?.fence : undefined;
  }

  status(): PlacementStatus {
    const holder = this.#deps.holder();
    const waits = this.#waits(holder);
    return {
      placement: this.placement,
      member: holder?.member ?? null,
      fence: holder?.member == null ? null : holder.fence,
      waits,
      promises: placementPromises,
    };
  }

  /** This member takes it where nobody has it. */
  want(): void {
    this.#wanted = true;
    this.#deps.changed();
  }

  /** Resolves when the instance of this member runs; rejects with what its start ended in. */
  started(): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#whenStarted.push((failure) => (failure === undefined ? resolve() : reject(asHostError(failure)))),
    );
  }

  /** The instance was stopped here, by an operator: another member may have it. */
  async standAside(): Promise<void> {
    this.#wanted = false;
    this.#deps.changed();
    await this.release();
  }

  /** Ends the instance in order, and gives the lease back. What has not begun goes to the next instance. */
  async release(): Promise<void> {
    const lease = this.#lease;
    if (lease === undefined) return await this.#turn;
    this.#leaving = true;
    await (this.#turn = this.#turn.then(async () => {
      await this.#deps.service().stop();
      this.#flush();
      if (this.#lease?.fence === lease.fence) this.#forget();
      this.#leave();
      this.#deps.post({ type: 'release', plugin: this.unit, fence: lease.fence });
      this.#leaving = false;
    }));
  }

  granted(_unit: string, { fence, until }: Lease, state: StoredState | undefined): void {
    if (this.#lease?.fence === fence) {
      this.#lease.until = until;
      this.#arm();
      return;
    }
    if (fence <= this.#overFence) return;
    this.#end('another lease was granted');
    this.#lease = { fence, until };
    this.#adopted = state;
    this.#arm();
    this.#deps.tell('info', 'this member has the service', { fence });
    this.#turn = this.#turn.then(() => this.#begin(fence));
  }

  lost(_unit: string, fence: number, why: string): void {
    if (this.#lease?.fence === fence) this.#end(why);
  }

  /** The thread is gone, and with it the lease. */
  threadLost(): void {
    this.#end('the thread of the cluster is gone');
  }

  arrived(_unit: string, fence: number, events: readonly ArrivedEvent[]): void {
    if (this.#lease?.fence !== fence) return;
    this.#backlog.push(...events);
    this.#feed();
  }

  /** The event is answered once the stream has it. */
  publish(event: QueuedEvent, answered: (outcome: Published | HostError) => void): void {
    const { eventId, correlationId, body } = streamedMessage(this.plugin, event);
    this.#deps.publish(eventId, body, (outcome) =>
      answered(outcome instanceof HostError ? outcome : { eventId, correlationId, duplicate: outcome.duplicate }),
    );
  }

  /** The daemon ends, and its services have: another member need not wait. */
  giveBack(): void {
    this.#flush();
    const lease = this.#lease;
    if (lease !== undefined) this.#deps.post({ type: 'release', plugin: this.unit, fence: lease.fence });
    this.#forget();
  }

  commit(...[changes, event, others]: Parameters<PlacedQueue['commit']>): Promise<void> {
    return this.#state.commit(changes, event?.origin?.sequence, others);
  }

  committed(message: Extract<FromCluster, { type: 'committed' }>): void {
    this.#state.committed(message);
  }

  recorded(message: Extract<FromCluster, { type: 'recorded' }>): void {
    this.records.recorded(message);
  }

  whenMoved(listener: MoveListener): void {
    this.#movers.push(listener);
  }

  stateStore(adopted: (values: StoredState['values']) => void): StateStore {
    this.#adopt = adopted;
    const none = async function* (): AsyncGenerator<never, void> {};
    return {
      commit: (changes) => this.#state.commit(changes, undefined, () => Promise.resolve()),
      onReopened: () => () => undefined,
      kept: { pages: none },
    };
  }

  close(): void {
    clearTimeout(this.#expiry);
    clearTimeout(this.#again);
  }

  #waits(holder: LeaseHolder | undefined): string | null {
    if (this.#lease !== undefined && this.isInForce) return null;
    if (!this.#wanted) return 'it was stopped on this member, or does not start by itself';
    const fault = this.#deps.fault();
    if (fault !== null) return fault.message;
    if (holder?.member != null) return `the member ${holder.member} has it`;
    if (holder?.later !== undefined) return laterText(holder.later);
    if (this.#deps.draining()) return 'this member is drained, and no other has it yet';
    return 'no member has it yet; the next one takes it in a moment';
  }

  get isInForce(): boolean {
    return isBefore(this.#lease?.until);
  }

  /** Node's own timer: the time of the daemon's clock does not go on while the daemon is stopped. */
  #arm(): void {
    clearTimeout(this.#expiry);
    const until = this.#lease?.until;
    if (until === undefined) return;
    this.#expiry = setTimeout(() => {
      if (this.isInForce) this.#arm();
      else this.#end('it could not be renewed in time');
    }, leftMs(until));
  }

  async #begin(fence: number): Promise<void> {
    if (this.#lease?.fence !== fence) return;
    if (this.#adopted !== undefined) {
      this.records.adopt(this.#adopted.records);
      this.#adopt(this.#state.adopt(this.#adopted));
      this.#attempts.adopt();
      await Promise.all(this.#movers.map((mover) => mover.came()));
      this.records.forget();
    }
    this.#adopted = undefined;
    // What the start ends in stands in the service's status; its supervisor decides whether it comes back.
    const failure = await this.#deps.start().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    for (const started of this.#whenStarted.splice(0)) started(failure);
    if (this.#lease?.fence === fence) this.#deps.post({ type: 'consume', plugin: this.unit, fence });
  }

  /** At once: its cell is ended, and what it still ends counts for nothing. */
  #end(why: string): void {
    const lease = this.#lease;
    if (lease === undefined) return;
    this.#forget();
    this.#deps.post({ type: 'release', plugin: this.unit, fence: lease.fence });
    this.#deps.tell('warn', `this member has lost the service: ${why}`, { fence: lease.fence });
    const ended = this.#deps.service().stop({ now: true });
    this.#turn = this.#turn.then(async () => {
      await ended;
      // A start that was under way then.
      await this.#deps.service().stop({ now: true });
      this.#leave();
    });
  }

  #forget(): void {
    this.#overFence = Math.max(this.#overFence, this.#lease?.fence ?? 0);
    this.#lease = undefined;
    this.#done = [];
    clearTimeout(this.#expiry);
    clearTimeout(this.#again);
    this.#backlog = [];
    this.#state.lost('the lease is over');
    this.records.lost('the lease is over');
    for (const mover of this.#movers) mover.went();
  }

  #leave(): void {
    this.#deps.service().leaveQueue();
  }

  /** In order: what cannot be taken now holds up what is behind it. */
  #feed(): void {
    clearTimeout(this.#again);
    const lease = this.#lease;
    if (lease === undefined || this.#leaving) return;
    let taken = 0;
    for (const event of this.#backlog) {
      if (!this.#take(event, lease.fence)) break;
      taken += 1;
    }
    this.#backlog.splice(0, taken);
    if (this.#backlog.length > 0) this.#again = setTimeout(() => this.#feed(), againMs);
  }

  #take({ sequence, head, payload }: ArrivedEvent, fence: number): boolean {
    const { eventId, createdAt, hops, replayOf, ...parts } = head;
    // Its changes are stored, or its dead letter is: it needs only to be acknowledged.
    if (this.#state.wasHandled(sequence) || this.#attempts.wasBuried(eventId, createdAt)) {
      this.#ended(fence, sequence);
      return true;
    }
    const origin = {
      sequence,
      isOver: (): boolean => this.fence !== fence,
      attempted: (story: readonly AttemptStory[]): void => this.#attempts.note(sequence, story),
      done: (): void => this.#ended(fence, sequence),
    };
    const story = this.#attempts.storyOf(sequence);
    return this.#deps
      .service()
      .take(new ReadEvent({ ...parts, idempotencyKey: undefined }, payload), {
        eventId,
        createdAt,
        hops,
        replayOf,
        origin,
        story,
      });
  }

  /** The event has had its outcome. */
  #ended(fence: number, sequence: number): void {
    if (this.#lease?.fence !== fence || !this.isInForce) return;
    this.#attempts.ended(sequence);
    if (this.#done.length === 0) setImmediate(() => this.#flush());
    this.#done.push(sequence);
    if (this.#backlog.length > 0) setImmediate(() => this.#feed());
  }

  #flush(): void {
    const sequences = this.#done;
    this.#done = [];
    const { fence } = this;
    if (fence !== undefined && sequences.length > 0)
      this.#deps.post({ type: 'done', plugin: this.unit, fence, sequences });
  }
}
