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
import { HostError, asHostError } from '../../protocol/errors.ts';
import type { Placement } from '../../protocol/manifest.ts';
import type { PlacementStatus } from '../../protocol/status.ts';
import type { QueuedEvent } from '../dispatch/queued-event.ts';
import type { StateStore } from '../dispatch/kept-state.ts';
import type { MoveListener, PlacedQueue, Published, RunMemory } from '../services/placed.ts';
import {
  type ClusterService,
  type ClusterServiceDeps,
  type Lease,
  type Stored,
  laterText,
  placementPromises,
} from './cluster-service.ts';
import { LeasedUnit, feedFrom } from './leased-unit.ts';
import type { PlacedRecords } from './placed-records.ts';
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
  readonly records: PlacedRecords;
  readonly #deps: PlacedServiceDeps;
  /** The whole service, or what of it is this member's own. */
  readonly #unit: LeasedUnit;
  #wanted = false;
  /** Starts and ends of the instance, one after the other. */
  #turn: Promise<void> = Promise.resolve();
  #adopt: (values: StoredState['values']) => void = () => undefined;
  readonly #movers: MoveListener[] = [];
  #again: NodeJS.Timeout | undefined;
  readonly #whenStarted: ((failure: unknown) => void)[] = [];

  constructor(deps: PlacedServiceDeps) {
    this.#deps = deps;
    this.plugin = deps.plugin;
    this.#unit = new LeasedUnit({
      unit: deps.terms.plugin,
      post: (message) => deps.post(message),
      failed: (why) => this.#end(why),
      roomy: () => setImmediate(() => this.#feed()),
    });
    this.records = this.#unit.records;
  }

  readonly partitions = undefined;
  readonly subscribes = true;

  get terms(): readonly PlacedTerms[] {
    const { placement: _placement, ...terms } = this.#deps.terms;
    return [{ ...terms, wanted: this.#wanted }];
  }

  has(unit: string): boolean {
    return unit === this.#unit.unit;
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
    return this.#unit.fence;
  }

  get isInForce(): boolean {
    return this.#unit.isInForce;
  }

  get runs(): RunMemory {
    return this.#unit.runs;
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
    const unit = this.#unit;
    if (!unit.isHeld) return await this.#turn;
    unit.leaving = true;
    await (this.#turn = this.#turn.then(async () => {
      await this.#deps.service().stop();
      unit.flush();
      // It may have been lost meanwhile.
      if (unit.leaving) this.#leave('another member gets it');
      this.#deps.service().leaveQueue();
    }));
  }

  granted(_unit: string, lease: Lease, state: StoredState | undefined): void {
    if (!this.#unit.granted(lease, state)) return;
    const { fence } = lease;
    this.#deps.tell('info', 'this member has the service', { fence });
    this.#turn = this.#turn.then(() => this.#begin(fence));
  }

  lost(_unit: string, fence: number, why: string): void {
    if (this.#unit.isUnder(fence)) this.#end(why);
  }

  /** The thread is gone, and with it the lease. */
  threadLost(): void {
    this.#end('the thread of the cluster is gone');
  }

  arrived(_unit: string, fence: number, events: readonly ArrivedEvent[]): void {
    if (!this.#unit.isUnder(fence)) return;
    this.#unit.arrived(events);
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
    this.#unit.flush();
    this.#leave('the daemon ends');
  }

  commit(...[changes, event, others]: Parameters<PlacedQueue['commit']>): Promise<void> {
    return this.#unit.state.commit(changes, event?.origin?.sequence, others);
  }

  committed(message: Extract<FromCluster, { type: 'committed' }>): void {
    this.#unit.committed(message);
  }

  recorded(message: Extract<FromCluster, { type: 'recorded' }>): void {
    this.#unit.recorded(message);
  }

  whenMoved(listener: MoveListener): void {
    this.#movers.push(listener);
  }

  stateStore(adopted: (values: StoredState['values']) => void): StateStore {
    this.#adopt = adopted;
    const none = async function* (): AsyncGenerator<never, void> {};
    return {
      commit: (changes) => this.#unit.state.commit(changes, undefined, () => Promise.resolve()),
      onReopened: () => () => undefined,
      kept: { pages: none },
    };
  }

  close(): void {
    this.#unit.close();
    clearTimeout(this.#again);
  }

  #waits(holder: LeaseHolder | undefined): string | null {
    if (this.isInForce) return null;
    if (!this.#wanted) return 'it was stopped on this member, or does not start by itself';
    const fault = this.#deps.fault();
    if (fault !== null) return fault.message;
    if (holder?.member != null) return `the member ${holder.member} has it`;
    if (holder?.later !== undefined) return laterText(holder.later);
    if (this.#deps.draining()) return 'this member is drained, and no other has it yet';
    return 'no member has it yet; the next one takes it in a moment';
  }

  async #begin(fence: number): Promise<void> {
    const unit = this.#unit;
    if (!unit.isUnder(fence)) return;
    const kept = unit.adopt();
    if (kept !== undefined) {
      this.#adopt(kept.values);
      await Promise.all(this.#movers.map((mover) => mover.came()));
      unit.records.forget();
    }
    // What the start ends in stands in the service's status; its supervisor decides whether it comes back.
    const failure = await this.#deps.start().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    for (const started of this.#whenStarted.splice(0)) started(failure);
    if (unit.isUnder(fence)) unit.consume();
  }

  /** At once: its cell is ended, and what it still ends counts for nothing. */
  #end(why: string): void {
    const fence = this.#leave(why, true);
    if (fence === undefined) return;
    this.#deps.tell('warn', `this member has lost the service: ${why}`, { fence });
    const ended = this.#deps.service().stop({ now: true });
    this.#turn = this.#turn.then(async () => {
      await ended;
      // A start that was under way then.
      await this.#deps.service().stop({ now: true });
      this.#deps.service().leaveQueue();
    });
  }

  /** Answers under what number it acted. */
  #leave(why: string, cutOff = false): number | undefined {
    clearTimeout(this.#again);
    const fence = this.#unit.giveUp(why, cutOff);
    if (fence !== undefined) for (const mover of this.#movers) mover.went();
    return fence;
  }

  #feed(): void {
    clearTimeout(this.#again);
    if (this.#unit.waiting === 0) return;
    feedFrom([this.#unit], this.#deps.service());
    if (this.#unit.waiting > 0) this.#again = setTimeout(() => this.#feed(), againMs);
  }
}
