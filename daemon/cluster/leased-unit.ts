// What of a placed service has a lease of its own, on this member: the whole service, or one partition of it. Its
// lease, its events, and what is done and kept under the lease.
import type {
  ArrivedEvent,
  FromCluster,
  PlacedState as StoredState,
  ToCluster,
} from '../../protocol/cluster/messages.ts';
import type { AttemptStory } from '../../protocol/dead-letter.ts';
import { ReadEvent } from '../dispatch/read-event.ts';
import { type InstanceService, type Lease, isBefore, leftMs } from './cluster-service.ts';
import { FailedAttempts } from './failed-attempts.ts';
import { LostDeliveries } from './lost-deliveries.ts';
import { PlacedRecords } from './placed-records.ts';
import { PlacedState } from './placed-state.ts';
import { ScheduleRuns } from './schedule-runs.ts';

export interface LeasedUnitDeps {
  /** As the cluster knows it. */
  readonly unit: string;
  /** Undefined for the whole of a service. */
  readonly partition?: number;
  post(message: ToCluster): void;
  /** It cannot be kept: what is here is not what is stored, or its lease is over. */
  failed(why: string): void;
  /** The instance may take more. */
  roomy(): void;
}

interface AloneEvent {
  readonly sequence: number;
  /** The cluster knows that it is alone. */
  isStored: boolean;
}

export class LeasedUnit {
  readonly unit: string;
  readonly state: PlacedState;
  readonly records: PlacedRecords;
  readonly runs: ScheduleRuns;
  /** It is held, and to be given away: nothing more of it is taken. */
  leaving = false;
  readonly #deps: LeasedUnitDeps;
  readonly #attempts: FailedAttempts;
  readonly #lost: LostDeliveries;
  /** Of events that the instance has and that have not had their outcome. */
  readonly #open = new Set<string>();
  /** Those of them that wait for no retry. */
  readonly #underWay = new Set<string>();
  /** An event that may have taken members down: while it is under way, no other is. */
  #alone: AloneEvent | undefined;
  #lease: Lease | undefined;
  #expiry: NodeJS.Timeout | undefined;
  /** What is over does not come back: a renewal may have been on its way. */
  #overFence = 0;
  /** What is kept of it, at the beginning of a lease. */
  #found: StoredState | undefined;
  #consumes = false;
  #backlog: ArrivedEvent[] = [];
  #done: number[] = [];

  constructor(deps: LeasedUnitDeps) {
    this.#deps = deps;
    this.unit = deps.unit;
    const parts = {
      plugin: deps.unit,
      post: (message: ToCluster): void => deps.post(message),
      fence: (): number | undefined => this.fence,
    };
    this.state = new PlacedState({ ...parts, broken: (why) => deps.failed(why) });
    this.records = new PlacedRecords(parts);
    this.runs = new ScheduleRuns(this.records);
    this.#attempts = new FailedAttempts(this.records);
    this.#lost = new LostDeliveries(this.records);
  }

  get isHeld(): boolean {
    return this.#lease !== undefined;
  }

  get isInForce(): boolean {
    return isBefore(this.#lease?.until);
  }

  /** Undefined where this member has no lease in force. */
  get fence(): number | undefined {
    return this.isInForce ? this.#lease?.fence : undefined;
  }

  /** Of its lease, also where that is not in force any more. */
  get heldUnder(): number | undefined {
    return this.#lease?.fence;
  }

  get waiting(): number {
    return this.#backlog.length;
  }

  /** The instance has this event of it. */
  has(eventId: string): boolean {
    return this.#open.has(eventId);
  }

  isUnder(fence: number): boolean {
    return this.#lease?.fence === fence;
  }

  /** True: it is new here. */
  granted({ fence, until }: Lease, found: StoredState | undefined): boolean {
    if (this.#lease?.fence === fence) {
      this.#lease.until = until;
      this.#arm();
      return false;
    }
    if (fence <= this.#overFence) return false;
    if (this.isHeld) this.#deps.failed('another lease was granted');
    this.#lease = { fence, until };
    this.#found = found;
    this.#arm();
    return true;
  }

  /** Of a lease that was granted since: what is kept, `records` until they are forgotten. Undefined: nothing is new. */
  adopt(): StoredState | undefined {
    const found = this.#found;
    if (found === undefined) return undefined;
    this.#found = undefined;
    this.records.adopt(found.records);
    this.state.adopt(found);
    this.runs.adopt();
    this.#attempts.adopt();
    this.#lost.adopt(found.lost);
    return found;
  }

  /** The instance runs: its events may come. */
  consume(): void {
    const { fence } = this;
    if (fence === undefined || this.#consumes) return;
    this.#consumes = true;
    this.#deps.post({ type: 'consume', plugin: this.unit, fence });
  }

  arrived(events: readonly ArrivedEvent[]): void {
    this.#backlog.push(...events);
  }

  /** The instance handles none of its events. */
  get isQuiet(): boolean {
    return this.#underWay.size === 0;
  }

  get hasOneAlone(): boolean {
    return this.#alone !== undefined;
  }

  /** Its next event comes alone. */
  get wantsQuiet(): boolean {
    const [next] = this.#backlog;
    return next !== undefined && this.#comesAlone(next);
  }

  /** In order: what cannot be taken now holds up what is behind it. `isQuiet`: the instance handles nothing at all. */
  feed(service: InstanceService, isQuiet: () => boolean): void {
    const { fence } = this;
    if (fence === undefined || this.leaving) return;
    let taken = 0;
    for (const event of this.#backlog) {
      if (!this.#mayBegin(event, isQuiet) || !this.#take(service, event, fence)) break;
      taken += 1;
    }
    this.#backlog.splice(0, taken);
  }

  flush(): void {
    const sequences = this.#done;
    this.#done = [];
    const { fence } = this;
    if (fence !== undefined && sequences.length > 0)
      this.#deps.post({ type: 'done', plugin: this.unit, fence, sequences });
  }

  /**
   * Nothing is done under its lease any more; the cluster is told. Answers its number; undefined: there was none.
   * `cutOff`: not in order.
   */
  giveUp(why: string, cutOff = false): number | undefined {
    const lease = this.#lease;
    if (lease === undefined) return undefined;
    this.#overFence = Math.max(this.#overFence, lease.fence);
    this.#lease = undefined;
    this.#found = undefined;
    this.#consumes = false;
    this.leaving = false;
    this.#backlog = [];
    this.#done = [];
    this.#open.clear();
    this.#underWay.clear();
    this.#alone = undefined;
    clearTimeout(this.#expiry);
    this.state.lost(why);
    this.records.lost(why);
    const { fence } = lease;
    this.#deps.post({ type: 'release', plugin: this.unit, fence, ...(cutOff ? { cutOff } : {}) });
    return lease.fence;
  }

  committed(message: Extract<FromCluster, { type: 'committed' }>): void {
    this.state.committed(message);
  }

  recorded(message: Extract<FromCluster, { type: 'recorded' }>): void {
    this.records.recorded(message);
  }

  close(): void {
    clearTimeout(this.#expiry);
  }

  /** Node's own timer: the time of the daemon's clock does not go on while the daemon is stopped. */
  #arm(): void {
    clearTimeout(this.#expiry);
    const until = this.#lease?.until;
    if (until === undefined) return;
    this.#expiry = setTimeout(() => {
      if (this.isInForce) this.#arm();
      else this.#deps.failed('it could not be renewed in time');
    }, leftMs(until));
  }

  #mayBegin(event: ArrivedEvent, isQuiet: () => boolean): boolean {
    const { sequence } = event;
    if (this.#alone !== undefined) return this.#alone.sequence === sequence && this.#alone.isStored;
    if (!this.#comesAlone(event)) return true;
    if (!isQuiet()) return false;
    const alone: AloneEvent = { sequence, isStored: false };
    this.#alone = alone;
    this.#lost.alone(sequence).then(
      () => {
        alone.isStored = true;
        this.#deps.roomy();
      },
      // The lease is over.
      () => undefined,
    );
    return false;
  }

  #comesAlone(event: ArrivedEvent): boolean {
    return this.#lost.isSuspect(event.sequence) && !this.#hasEnded(event);
  }

  /** Its changes are stored, or its dead letter is: it needs only to be acknowledged. */
  #hasEnded({ sequence, eventId, head: { createdAt } }: ArrivedEvent): boolean {
    return this.state.wasHandled(sequence) || this.#attempts.wasBuried(eventId, createdAt);
  }

  #take(service: InstanceService, arrived: ArrivedEvent, fence: number): boolean {
    const { sequence, head, eventId, payload, hops, replayOf } = arrived;
    const { ingress, kind, source, createdAt } = head;
    if (this.#hasEnded(arrived)) {
      this.#ended(fence, sequence, eventId);
      return true;
    }
    const origin = {
      sequence,
      isOver: (): boolean => !this.#actsUnder(fence),
      attempted: (story: readonly AttemptStory[]): void => {
        if (!this.#actsUnder(fence)) return;
        this.#attempts.note(sequence, story);
        this.#notUnderWay(sequence, eventId);
      },
      done: (): void => this.#ended(fence, sequence, eventId),
    };
    this.#open.add(eventId);
    this.#underWay.add(eventId);
    const arrival = { eventId, createdAt, hops, replayOf, origin, partition: this.#deps.partition };
    const known = this.#attempts.storyOf(sequence);
    const story = this.#lost.storyOf(sequence, known);
    if (story !== known) this.#attempts.note(sequence, story);
    const attempt = this.#lost.attemptOf(sequence, story);
    const { correlationId } = arrived;
    const event = new ReadEvent({ ingress, kind, source, correlationId, idempotencyKey: undefined }, payload);
    const isTaken = service.take(event, { ...arrival, story, attempt });
    if (!isTaken) {
      this.#open.delete(eventId);
      this.#underWay.delete(eventId);
    }
    return isTaken;
  }

  #actsUnder(fence: number): boolean {
    return this.#lease?.fence === fence && isBefore(this.#lease.until);
  }

  /** The event has had its outcome. */
  #ended(fence: number, sequence: number, eventId: string): void {
    if (!this.#actsUnder(fence)) return;
    this.#open.delete(eventId);
    this.#notUnderWay(sequence, eventId);
    this.#attempts.ended(sequence);
    if (this.#done.length === 0) setImmediate(() => this.flush());
    this.#done.push(sequence);
    if (this.#backlog.length > 0) this.#deps.roomy();
  }

  #notUnderWay(sequence: number, eventId: string): void {
    this.#underWay.delete(eventId);
    if (this.#alone?.sequence !== sequence) return;
    this.#alone = undefined;
    this.#lost.aloneNoMore();
    this.#deps.roomy();
  }
}

/** What the instance may take now, of all that works by it. */
export function feedFrom(units: readonly LeasedUnit[], service: InstanceService): void {
  const isQuiet = (): boolean => units.every((unit) => unit.isQuiet && !unit.hasOneAlone);
  // The others begin nothing until the instance is quiet, and until it has ended.
  const alone = units.find((unit) => unit.hasOneAlone) ?? units.find((unit) => unit.wantsQuiet);
  for (const unit of alone === undefined ? units : [alone]) unit.feed(service, isQuiet);
}
