// A service that the members of a cluster share: each holds some of its partitions, by leases, and has one instance
// that works on those. While it runs, they stay the same: where the member is to have others, the instance is stopped,
// what is kept of its partitions is read again, and it is started.
import { hash } from 'node:crypto';
import {
  type ArrivedEvent,
  type FromCluster,
  type HeldPartition,
  type PlacedService as PlacedTerms,
  type PlacedState as StoredState,
  type StoredRecord,
  partitionCount,
} from '../../protocol/cluster/messages.ts';
import { partitionPrefix } from '../../protocol/cell/effects.ts';
import { HostError, asHostError } from '../../protocol/errors.ts';
import type { PlacementStatus } from '../../protocol/status.ts';
import { type Change, placedStateTable, storeKey } from '../../protocol/store/change.ts';
import type { StateStore } from '../dispatch/kept-state.ts';
import type { QueuedEvent } from '../dispatch/queued-event.ts';
import type { MoveListener, PlacedQueue, Published, RunMemory } from '../services/placed.ts';
import {
  type ClusterService,
  type ClusterServiceDeps,
  type HolderOf,
  type Lease,
  type Stored,
  laterText,
  placementPromises,
} from './cluster-service.ts';
import { feedFrom } from './leased-unit.ts';
import { Partition } from './partition.ts';
import { partitionsToGive } from './partition-shares.ts';
import { SharedRecords } from './shared-records.ts';
import { streamedMessage } from './streamed-message.ts';

export interface SharedServiceDeps extends ClusterServiceDeps {
  readonly member: string;
  /** Of each partition. */
  readonly terms: Omit<PlacedTerms, 'plugin' | 'wanted'>;
  /** Leases come one after the other: the instance is not started again for each of them. */
  readonly settleMs: number;
  publish(unit: string, messageId: string, body: string, answered: Stored): void;
  holder: HolderOf;
  /** Members that take partitions of it, this one included where it does. */
  sharers(): readonly string[];
}

const againMs = 100;

export class SharedService implements ClusterService {
  readonly plugin: string;
  readonly placement = 'shared';
  readonly records: SharedRecords;
  readonly #deps: SharedServiceDeps;
  readonly #all: readonly Partition[];
  #wanted = false;
  /** Those that the instance works on. */
  #running: ReadonlySet<Partition> = new Set();
  /** Changes of what the instance works on, one after the other. */
  #turn: Promise<void> = Promise.resolve();
  #isChanging = false;
  #settling: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;
  /** A lease was lost: its instance is not to end anything. */
  #endsNow = false;
  #adopt: (values: Iterable<readonly [key: string, json: string]>) => void = () => undefined;
  readonly #movers: MoveListener[] = [];
  readonly #whenStarted: ((failure: unknown) => void)[] = [];

  constructor(deps: SharedServiceDeps) {
    this.#deps = deps;
    this.plugin = deps.plugin;
    this.#all = Array.from(
      { length: partitionCount },
      (_, number): Partition =>
        new Partition({
          plugin: deps.plugin,
          number,
          post: (message) => deps.post(message),
          failed: (why) => this.#end([number], why),
          roomy: () => setImmediate(() => this.#feed()),
        }),
    );
    this.records = new SharedRecords({
      plugin: deps.plugin,
      held: () => this.#held.filter(({ isInForce }) => isInForce),
      partitionOf: (eventId) =>
        this.#held.find((partition) => partition.has(eventId)) ?? this.#held.find(({ isInForce }) => isInForce),
    });
  }

  get terms(): readonly PlacedTerms[] {
    return this.#all.map(({ unit }) => ({ ...this.#deps.terms, plugin: unit, wanted: this.#wanted }));
  }

  get partitions(): readonly HeldPartition[] | undefined {
    return this.#wanted ? this.#all.flatMap(({ held }) => held) : undefined;
  }

  /** The largest of those of its partitions. */
  get fence(): number | undefined {
    return this.isInForce ? Math.max(...[...this.#running].map(({ fence }) => fence ?? 0)) : undefined;
  }

  get isInForce(): boolean {
    return this.#running.size > 0 && [...this.#running].every(({ isInForce }) => isInForce);
  }

  /** The member with the first partition: there is one, and the instance is started again when it is another. */
  get subscribes(): boolean {
    return this.#running.has(this.#at(0));
  }

  /** Of the partition with which the schedules move. */
  get runs(): RunMemory {
    return this.#at(0).runs;
  }

  has(unit: string): boolean {
    return this.#of(unit) !== undefined;
  }

  status(): PlacementStatus {
    const partitions = this.#all.map(({ number, unit }) => {
      const holder = this.#deps.holder(unit);
      const member = holder?.member ?? null;
      // What this member holds and its instance does not work on yet, nobody acts on.
      const acts = member !== null && (member !== this.#deps.member || this.#running.has(this.#at(number)));
      return { partition: number, member, fence: acts ? (holder?.fence ?? null) : null };
    });
    const waits = this.isInForce ? null : this.#waits(partitions.every(({ member }) => member !== null));
    const own = partitions.find(({ member }) => member === this.#deps.member);
    const shown = waits === null ? own : (partitions.find(({ member }) => member !== null) ?? own);
    return {
      placement: this.placement,
      member: shown?.member ?? null,
      fence: waits === null ? (this.fence ?? null) : (shown?.fence ?? null),
      waits,
      promises: placementPromises,
      partitions,
    };
  }

  memberFor(key: string | undefined): string | null {
    if (key !== undefined) return this.#deps.holder(this.#at(numberOf(key)).unit)?.member ?? null;
    return this.fence === undefined ? this.status().member : this.#deps.member;
  }

  partitionHere({ key }: Pick<QueuedEvent, 'key'>): number {
    const partition =
      key === undefined ? [...this.#running].find(({ isInForce }) => isInForce) : this.#at(numberOf(key));
    if (partition !== undefined && this.#running.has(partition) && partition.isInForce) return partition.number;
    throw new HostError(
      'service_unavailable',
      `This member does not have the partition of the event: ${partition === undefined ? 'it has none' : String(partition.number)}.`,
      { plugin: this.plugin },
    );
  }

  want(): void {
    this.#wanted = true;
    this.#deps.changed();
  }

  started(): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#whenStarted.push((failure) => (failure === undefined ? resolve() : reject(asHostError(failure)))),
    );
  }

  async standAside(): Promise<void> {
    this.#wanted = false;
    this.#deps.changed();
    await this.release();
  }

  async release(): Promise<void> {
    for (const partition of this.#held) partition.leaving = true;
    await this.#change();
  }

  giveBack(): void {
    for (const partition of this.#all) {
      partition.flush();
      partition.giveUp('the daemon ends');
    }
    this.#running = new Set();
    this.#went();
  }

  granted(unit: string, lease: Lease, state: StoredState | undefined): void {
    const partition = this.#of(unit);
    if (partition?.granted(lease, state) !== true) return;
    this.#deps.tell('info', 'this member has a partition', { partition: partition.number, fence: lease.fence });
    this.#changeSoon();
  }

  lost(unit: string, fence: number, why: string): void {
    const partition = this.#of(unit);
    if (partition?.isUnder(fence) === true) this.#end([partition.number], why);
  }

  threadLost(): void {
    this.#end(
      this.#all.map(({ number }) => number),
      'the thread of the cluster is gone',
    );
  }

  arrived(unit: string, fence: number, events: readonly ArrivedEvent[]): void {
    const partition = this.#of(unit);
    if (partition?.isUnder(fence) !== true) return;
    partition.arrived(events);
    this.#feed();
  }

  publish(event: QueuedEvent, answered: (outcome: Published | HostError) => void): void {
    const { eventId, correlationId, body } = streamedMessage(this.plugin, event);
    const { key, replayOf } = event;
    const replayed = replayOf === undefined ? undefined : this.records.partitionOfLetter(replayOf);
    const { unit } = replayed ?? this.#at(key === undefined ? numberOf(eventId) : numberOfKey(key));
    this.#deps.publish(unit, eventId, body, (outcome) =>
      answered(outcome instanceof HostError ? outcome : { eventId, correlationId, duplicate: outcome.duplicate }),
    );
  }

  async commit(...[changes, event, others]: Parameters<PlacedQueue['commit']>): Promise<void> {
    const partition = event?.partition === undefined ? undefined : this.#at(event.partition);
    const elsewhere = changes.filter(({ table }) => table !== placedStateTable);
    if (partition === undefined) return await others(elsewhere);
    const own = changes.flatMap((change) => ownChange(change, partitionPrefix(partition.number)));
    await partition.state.commit([...own, ...elsewhere], event?.origin?.sequence, others);
  }

  stateStore(adopted: (values: Iterable<readonly [key: string, json: string]>) => void): StateStore {
    this.#adopt = adopted;
    const none = async function* (): AsyncGenerator<never, void> {};
    return {
      commit: (changes) =>
        changes.length === 0
          ? Promise.resolve()
          : Promise.reject(
              new HostError(
                'unsupported_operation',
                'ctx.state of a service with the placement "shared" belongs to the partition of an event: start(ctx) cannot write it.',
                { plugin: this.plugin },
              ),
            ),
      onReopened: () => () => undefined,
      kept: { pages: none },
    };
  }

  whenMoved(listener: MoveListener): void {
    this.#movers.push(listener);
  }

  committed(message: Extract<FromCluster, { type: 'committed' }>): void {
    for (const partition of this.#all) partition.committed(message);
  }

  recorded(message: Extract<FromCluster, { type: 'recorded' }>): void {
    for (const partition of this.#all) partition.recorded(message);
  }

  /** Whoever holds more than its share gives some away. */
  membersChanged(): void {
    if (!this.#wanted || this.#deps.draining() || this.#isChanging || this.#settling !== undefined) return;
    const { member, sharers, holder } = this.#deps;
    const holders = this.#all.map(({ unit }) => holder(unit)?.member ?? null);
    // What is known of the leases is older than what this member has.
    if (this.#all.some(({ isHeld, number }) => isHeld !== (holders[number] === member))) return;
    const given = partitionsToGive(member, sharers(), holders);
    for (const number of given) this.#at(number).leaving = this.#at(number).isHeld;
    if (given.length > 0) this.#changeSoon();
  }

  close(): void {
    clearTimeout(this.#settling);
    clearTimeout(this.#again);
    for (const partition of this.#all) partition.close();
  }

  get #held(): readonly Partition[] {
    return this.#all.filter(({ isHeld }) => isHeld);
  }

  #at(number: number): Partition {
    const partition = this.#all[number];
    if (partition === undefined) throw new Error(`there is no partition ${String(number)}`);
    return partition;
  }

  #of(unit: string): Partition | undefined {
    return this.#all.find((partition) => partition.unit === unit);
  }

  #waits(allHeld: boolean): string {
    const later = this.#all.flatMap(({ unit }) => this.#deps.holder(unit)?.later ?? [])[0];
    if (!this.#wanted) return 'it was stopped on this member, or does not start by itself';
    const fault = this.#deps.fault();
    if (fault !== null) return fault.message;
    if (this.#held.length > 0) return 'its partitions are being taken over';
    if (later !== undefined) return laterText(later);
    if (this.#deps.draining()) return 'this member is drained';
    if (allHeld) return 'other members have all of its partitions; some move here in a moment';
    return 'this member has no partition yet';
  }

  /** At once: its cell is ended with all its partitions, and what it still ends counts for nothing. */
  #end(numbers: readonly number[], why: string): void {
    const lost = numbers.map((number) => this.#at(number)).filter(({ isHeld }) => isHeld);
    const works = lost.some((partition) => this.#running.has(partition));
    // What of the other partitions was handled and is not stored yet is decided where they are taken next.
    const ended = works ? [...new Set([...lost, ...this.#running])] : lost;
    if (ended.length === 0) return;
    for (const partition of ended) partition.giveUp(why, works);
    this.#deps.tell('warn', `this member has lost partitions: ${why}`, {
      partitions: ended.map(({ number }) => number),
    });
    if (!works) return;
    this.#running = new Set();
    this.#endsNow = true;
    this.#went();
    void this.#deps.service().stop({ now: true });
    this.#deps.service().leaveQueue();
    this.#changeSoon();
  }

  #went(): void {
    for (const mover of this.#movers) mover.went();
  }

  #changeSoon(): void {
    this.#settling ??= setTimeout(() => void this.#change(), this.#deps.settleMs);
  }

  #change(): Promise<void> {
    clearTimeout(this.#settling);
    this.#settling = undefined;
    return (this.#turn = this.#turn.then(async () => {
      this.#isChanging = true;
      await this.#changeNow().catch((thrown: unknown) => {
        const { message } = asHostError(thrown);
        this.#deps.tell('warn', `what this member works on could not be changed: ${message}`, {});
      });
      this.#isChanging = false;
      this.membersChanged();
    }));
  }

  async #changeNow(): Promise<void> {
    // A lease may have come when nothing was to be taken any more.
    if (!this.#wanted || this.#deps.draining()) for (const partition of this.#held) partition.leaving = true;
    const isSame = this.#held.length === this.#running.size && this.#held.every((one) => this.#running.has(one));
    if (!this.#endsNow && isSame && !this.#held.some(({ leaving }) => leaving)) return;
    await this.#stop();
    for (const partition of this.#held) partition.flush();
    // They are told of first: whoever takes one must find all that was kept of it.
    for (const partition of this.#held) if (partition.leaving) partition.giveUp('another member gets it');
    this.#deps.service().leaveQueue();
    const found = new Map<Partition, readonly StoredRecord[]>();
    for (const partition of this.#held) {
      const kept = partition.adopt();
      if (kept !== undefined) found.set(partition, kept.records);
      partition.records.forget();
    }
    this.#went();
    this.records.rebuild(found);
    this.#running = new Set(this.#held);
    this.#deps.changed();
    if (this.#running.size === 0) return;
    await this.#start(this.#running);
  }

  /** What is kept is written before: it is read again afterwards, by this member or another. */
  async #stop(): Promise<void> {
    const { service } = this.#deps;
    // A start may have been under way when a lease was lost.
    await service().stop(this.#endsNow ? { now: true } : {});
    this.#endsNow = false;
    // An event of a partition that stays must not come again because one of a partition that goes was not stored.
    await Promise.all(this.#held.map(({ state }) => state.settled()));
    await new Promise((resolve) => setImmediate(resolve));
    await Promise.all(this.#movers.map((mover) => mover.settled()));
  }

  async #start(running: ReadonlySet<Partition>): Promise<void> {
    this.#adopt(
      [...running].flatMap(({ number, state }) =>
        [...state.values].map(([key, json]) => [`${partitionPrefix(number)}${key}`, json] as const),
      ),
    );
    await Promise.all(this.#movers.map((mover) => mover.came()));
    // What the start ends in stands in the service's status; its supervisor decides whether it comes back.
    const failure = await this.#deps.start().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    for (const started of this.#whenStarted.splice(0)) started(failure);
    for (const partition of running) if (this.#running.has(partition)) partition.consume();
    this.#feed();
  }

  #feed(): void {
    clearTimeout(this.#again);
    const service = this.#deps.service();
    feedFrom([...this.#running], service);
    if ([...this.#running].some(({ waiting }) => waiting > 0)) this.#again = setTimeout(() => this.#feed(), againMs);
  }
}

/** The same on every member, for ever: keys stay with their partition. */
export const numberOf = (key: string): number => hash('sha256', key, 'buffer').readUInt32BE(0) % partitionCount;

/** Senders use the same keys again and again. */
const mostKnownKeys = 4096;
const knownKeys = new Map<string, number>();

function numberOfKey(key: string): number {
  const known = knownKeys.get(key);
  if (known !== undefined) return known;
  if (knownKeys.size >= mostKnownKeys) knownKeys.clear();
  const number = numberOf(key);
  knownKeys.set(key, number);
  return number;
}

/** Of the state of one partition, as that has it. */
function ownChange(change: Change, prefix: string): Change[] {
  if (change.table !== placedStateTable || change.op === 'removeRange') return [];
  const key = decodeURIComponent(change.key);
  return key.startsWith(prefix) ? [{ ...change, key: storeKey(key.slice(prefix.length)) }] : [];
}
