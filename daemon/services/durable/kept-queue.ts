// The queue of one service as it is kept on disk: what arrives is stored and then queued, what has ended is
// acknowledged, and what does not fit into memory is read back. `docs/decisions/durable-queues.md` says how it lies in
// the store and what a crash at each moment means.
import { join } from 'node:path';
import type { Change } from '../../../protocol/store/change.ts';
import { type HostError, asHostError } from '../../../protocol/errors.ts';
import type { ServiceCounters } from '../../../protocol/status.ts';
import type { Timer } from '../../time/clock.ts';
import type { QueuedEvent, Waiter } from '../../dispatch/queued-event.ts';
import { nothingCounted } from '../books.ts';
import { AbsentEvents, type StoredEvent } from './absent-events.ts';
import { DispatchMark } from './dispatch-mark.ts';
import { type Gathered, GatheredOffers } from './gathered-offers.ts';
import { IdempotencyKeys } from './idempotency-keys.ts';
import {
  type Effect,
  type KeptOwner,
  type KeptQueueOptions,
  type Offer,
  isFollower,
  isOffer,
  keysOfOffers,
  withOthers,
} from './kept-contract.ts';
import { type Batch, QueueCommits } from './queue-commits.ts';
import { QueueLedger } from './queue-ledger.ts';
import { type Recovered, countersOf, recoverQueue } from './queue-recovery.ts';
import { StoredRetries } from './stored-retries.ts';
import { UncommittedEnds } from './uncommitted-ends.ts';

const closeMs = 2000;
const againMs = 1000;

export const markPath = (stateFolder: string, pluginId: string): string => join(stateFolder, 'dispatched', pluginId);

export class KeptQueue {
  readonly keys: IdempotencyKeys;
  readonly mark: DispatchMark;
  readonly #options: KeptQueueOptions;
  readonly #commits: QueueCommits;
  readonly #ledger: QueueLedger;
  readonly #turnEnd: (run: () => void) => void;
  #absent: AbsentEvents | undefined;
  #retries: StoredRetries | undefined;
  #owner: KeptOwner | undefined;
  /** What was read and has no owner yet. */
  #found: Recovered | undefined;
  #unread: HostError | undefined;
  #again: Timer | undefined;
  #closed = false;

  readonly #gathered = new GatheredOffers();
  /** Offers of the commit that is on its way. */
  #onItsWay = 0;
  /** Offers that are on disk and not in the books yet. */
  #unbooked = 0;
  #effects: Effect[] = [];
  #extras: Change[] = [];
  /** Handled events whose end is in a commit, and that are not in the books yet. */
  readonly #concluding = new Set<QueuedEvent>();
  readonly #ends: UncommittedEnds;
  #scheduled = false;
  /** Nothing is offered in the next commit: it makes room. */
  #withoutOffers = false;

  /** With what an earlier daemon kept; a store that does not work now is read when it does. */
  static async open(options: KeptQueueOptions): Promise<KeptQueue> {
    const kept = new KeptQueue(options);
    await kept.#read();
    return kept;
  }

  private constructor(options: KeptQueueOptions) {
    const { pluginId, store, clock, limits, stateFolder, onTrouble } = options;
    this.#options = options;
    this.#turnEnd = options.turnEnd ?? ((run) => store.atTurnEnd(run));
    this.#ledger = new QueueLedger(pluginId, clock);
    this.#ends = new UncommittedEnds({ clock, ackMs: limits.ackMs, onDue: () => this.#schedule() });
    this.keys = new IdempotencyKeys(pluginId, limits, clock);
    this.mark = new DispatchMark(markPath(stateFolder, pluginId), (error) =>
      onTrouble('what a cell is given cannot be noted; after a kill it may come again under its old number', error),
    );
    this.#commits = new QueueCommits({
      pluginId,
      store,
      clock,
      take: () => this.#take(),
      // Followers alone are queued as they are taken, and have to come behind what is settled.
      mayFollow: () => this.#gathered.hasOffers && !this.#withoutOffers,
      isUrgent: () =>
        !this.#gathered.isEmpty || this.#effects.length > 0 || this.#extras.length > 0 || this.#ends.isDue,
      lost: (serial) => this.#lost(serial),
    });
  }

  /** Events that are kept on disk. */
  get count(): number {
    return this.#ledger.count;
  }

  /** Events that come again and are on disk alone. */
  get retriesOnDisk(): number {
    return this.#retries?.count ?? 0;
  }

  /** With those that are being stored. */
  get bytes(): number {
    return this.#ledger.bytes + this.#gathered.pendingBytes;
  }

  /** Events that are being stored. */
  get pending(): number {
    return this.#gathered.pending;
  }

  get pendingBytes(): number {
    return this.#gathered.pendingBytes;
  }

  /** Why nothing can be stored now. The first time, what an event needs beside the store is made ready. */
  refusal(): HostError | undefined {
    return this.#unread ?? this.#commits.doubt ?? this.mark.reserve();
  }

  /** A cell gets one event at a time: one of them may take the daemon down again, and then it is known which. */
  readonly alone = (): boolean => this.#ledger.suspects.size > 0;

  /** A cell is about to get these events. */
  readonly sending = (events: readonly QueuedEvent[]): void =>
    this.mark.sent(events, this.#ledger.isMoved, this.#ledger.through);

  /** What was read goes into the queue of its service. */
  attach(owner: KeptOwner): void {
    this.#owner = owner;
    this.#absent = new AbsentEvents(this.#options, this.#ledger, owner);
    this.#retries = new StoredRetries(this.#options, this.#ledger, owner);
    const found = this.#found;
    this.#found = undefined;
    if (found !== undefined) this.#adopt(found, owner);
  }

  // What arrives.

  /** Stores it with everything that comes in this turn; `answer` is told once it is on disk, or why it is not. */
  offer(event: QueuedEvent, answer: Offer['answer'], changes: readonly Change[] = []): void {
    this.#gathered.offer({ event, answer, changes });
    this.#schedule();
  }

  /** Why it is not known when an event that follows now can be queued; undefined where it is. */
  get doubt(): HostError | undefined {
    return this.#gathered.isEmpty && this.#onItsWay === 0 ? undefined : this.#commits.doubt;
  }

  /** An event that is not stored keeps its place behind those that are. False: it can be queued at once. */
  follow(event: QueuedEvent): boolean {
    if (!this.#gathered.isEmpty || this.#onItsWay > 0) this.#gathered.follow(event);
    else if (this.#absent?.after !== undefined) this.#owner?.follows(event, this.#absent.after);
    else return false;
    return true;
  }

  /** Takes a follower out that is not queued yet. */
  withdraw(waiter: Waiter): QueuedEvent | undefined {
    return this.#gathered.withdraw(waiter);
  }

  // What ends.

  /** The event has its outcome. */
  done(event: QueuedEvent): void {
    if (this.#concluding.delete(event)) return;
    if (event.place === undefined) {
      // The books have changed.
      if (this.#ledger.exists) this.#ends.changed();
      return;
    }
    this.mark.ended(event.place);
    this.#ledger.done(event);
    this.#ends.ended();
  }

  /** The event comes again, with what is in it now. */
  moved(event: QueuedEvent, retryAtMs = 0): void {
    if (event.place === undefined) return;
    this.mark.ended(event.place);
    this.#ledger.move(event, retryAtMs);
    this.#ends.changed();
  }

  /** Resolves when the end of the event is on disk with its effects; rejects only where neither is. */
  commit(event: QueuedEvent, changes: readonly Change[]): Promise<void> {
    return new Promise((done, failed) => {
      this.#effects.push({ event, changes, done, failed });
      this.#schedule();
    });
  }

  /** Changes that belong to what was told before, in the same transaction. */
  include(changes: readonly Change[]): void {
    if (changes.length === 0) return;
    this.#extras.push(...changes);
    this.#ends.exists = true;
    this.#commits.flush();
  }

  /** Drops what is on disk alone. Returns how many events that were. */
  discardAbsent(): number {
    const from = this.#absent?.from ?? Infinity;
    const retries = new Set(this.#retries?.drop());
    const dropped = (this.#absent?.drop() ?? 0) + retries.size;
    if (dropped === 0) return 0;
    this.keys.forgetWhere((place) => place >= from || retries.has(place));
    this.#ends.changed();
    return dropped;
  }

  /** Events that are on disk alone, by the id of one, or the correlation id of several. */
  async find(id: string, most: number): Promise<StoredEvent[]> {
    const retries = (await this.#retries?.find(id, most)) ?? [];
    return [...((await this.#absent?.find(id, most - retries.length)) ?? []), ...retries];
  }

  /** The queue may have room for what is on disk. */
  needed(): void {
    if (this.#closed) return;
    this.#absent?.needed();
    this.#retries?.needed();
  }

  /** Stores what is left to store. True when nothing is left. */
  async close(): Promise<boolean> {
    const stored = !this.#ledger.exists || (await this.#commits.idle(closeMs));
    this.#closed = true;
    this.#ends.close();
    this.#again?.cancel();
    this.#absent?.close();
    this.#retries?.close();
    this.#commits.close();
    if (stored) this.mark.reset();
    this.mark.close();
    return stored;
  }

  // Commits.

  #schedule(): void {
    if (this.#scheduled || this.#commits.busy) return;
    this.#scheduled = true;
    this.#turnEnd(() => {
      this.#scheduled = false;
      this.#commits.flush();
    });
  }

  #take(): Batch | undefined {
    const gathered = this.#takeGathered();
    const effects = this.#effects;
    const offers = gathered.filter(isOffer);
    if (offers.length === 0 && effects.length === 0 && !this.#ends.exists) return undefined;
    const extras = this.#extras;
    this.#effects = [];
    this.#extras = [];
    this.#ends.taken();
    for (const { event } of effects) {
      this.#concluding.add(event);
      if (event.place === undefined) continue;
      this.mark.ended(event.place);
      this.#ledger.done(event);
    }
    const entry = this.#ledger.write(
      offers.map(({ event }) => event),
      this.#totals(offers.length),
    );
    const first = entry.pages[0]?.first;
    if (first !== undefined) this.keys.stored(keysOfOffers(offers), first);
    const keyPages = this.keys.changedPages;
    this.#onItsWay = offers.length;
    let answered = false;
    const answer = (error: HostError): void => {
      if (answered) return;
      answered = true;
      this.#refuse(offers, error);
    };
    return {
      serial: entry.serial,
      adds: offers.length > 0,
      changes: [
        ...entry.changes,
        ...this.keys.changes(),
        ...offers.flatMap(({ changes }) => changes),
        ...extras,
        ...effects.flatMap(({ changes }) => changes),
      ],
      applied: () => {
        entry.applied();
        this.#onItsWay = 0;
        this.#unbooked = offers.length;
        for (const { event } of offers) this.#ledger.added(event);
      },
      settle: () => {
        this.#unbooked = 0;
        this.#absent?.stored(entry.pages);
        this.#queue(gathered, answered);
        for (const { done } of effects) done();
      },
      refused: (error) => {
        entry.refused();
        this.#onItsWay = 0;
        answer(error);
        this.#queue(gathered.filter(isFollower), true);
        this.keys.again(keyPages);
        this.#extras = [...extras, ...this.#extras];
        this.#ends.exists = true;
        if (offers.length > 0) this.#tryRest(effects);
        else this.#uncommitted(effects, error);
      },
      doubtful: answer,
    };
  }

  /** What is not new is tried by itself, before anything new. */
  #tryRest(effects: readonly Effect[]): void {
    for (const { event } of effects) {
      this.#concluding.delete(event);
      if (event.place !== undefined) this.#ledger.undone(event);
    }
    this.#effects = [...effects, ...this.#effects];
    this.#withoutOffers = true;
    this.#commits.flush();
  }

  #uncommitted(effects: readonly Effect[], error: HostError): void {
    for (const { event, failed } of effects) {
      this.#concluding.delete(event);
      // Until it is known as which attempt it comes again.
      if (event.place !== undefined) this.#ledger.undone({ ...event, attempt: event.attempt + 1 });
      failed(error);
    }
    // Those behind them ran on what they had changed.
    for (const { failed } of this.#effects.splice(0)) failed(error);
    this.#ends.dueIn(againMs);
  }

  #takeGathered(): readonly Gathered[] {
    const taken = this.#withoutOffers ? [] : this.#gathered.take();
    this.#withoutOffers = false;
    if (taken.some(isOffer)) return taken;
    this.#queue(taken, true);
    return [];
  }

  /** `answered`: whoever offered them was told before that it is not known whether they are stored. */
  #queue(entries: readonly Gathered[], answered: boolean): void {
    if (entries.length === 0) return;
    for (const entry of entries) {
      if (isOffer(entry)) this.#queueOffer(entry, answered);
      else this.#owner?.follows(entry.follows, this.#absent?.after);
    }
    this.#owner?.wake();
  }

  #queueOffer({ event, answer }: Offer, answered: boolean): void {
    if (!answered) this.#gathered.answered(event);
    this.#owner?.accepted(event);
    if (this.#absent?.keeps(event) !== true) this.#owner?.queue.push(event);
    if (answered) return;
    answer(undefined);
    if (event.idempotencyKey !== undefined) this.keys.accepted(event.idempotencyKey);
  }

  #refuse(offers: readonly Offer[], error: HostError): void {
    for (const { event, answer } of offers) {
      this.#gathered.answered(event);
      answer(error);
      if (event.idempotencyKey !== undefined) this.keys.refused(event.idempotencyKey, event.eventId, error);
    }
  }

  /** The books as they are when this commit is on disk. */
  #totals(offers: number): ServiceCounters {
    return withOthers(this.#owner?.totals() ?? nothingCounted, offers + this.#unbooked, this.#concluding.size);
  }

  // Recovery.

  async #read(): Promise<void> {
    const { pluginId, store, clock, stateFolder, residentBytes, guilt = 'none' } = this.#options;
    try {
      const found = await recoverQueue(
        {
          pluginId,
          store,
          clock,
          markPath: markPath(stateFolder, pluginId),
          residentBytes: residentBytes / 2,
          guilt,
          nothingCounted,
        },
        this.keys,
      );
      this.#unread = undefined;
      if (found !== undefined) this.#ledger.adopt(found);
      this.mark.begin(this.#ledger.generation);
      if (found === undefined) return;
      if (this.#owner === undefined) this.#found = found;
      else this.#adopt(found, this.#owner);
    } catch (thrown) {
      const error = asHostError(thrown);
      if (this.#unread === undefined)
        this.#options.onTrouble('what is kept of the queue cannot be read now; nothing new is accepted before', error);
      this.#unread = error;
      if (!this.#closed) this.#again = clock.after(againMs, () => void this.#read());
    }
  }

  #adopt(found: Recovered, owner: KeptOwner): void {
    this.#absent?.adopt(found);
    this.#retries?.adopt(found.later);
    owner.recovered(countersOf(found), found);
    if (found.damaged > 0) owner.damaged(found.damaged);
    if (found.count + found.damaged > 0) this.#ends.changed();
    owner.wake();
    this.#retries?.needed();
  }

  /** The store was opened again. It may be another one, or may lack what was committed last. */
  #lost(serial: number): void {
    const owner = this.#owner;
    if (owner === undefined || !this.#ledger.exists || serial === this.#ledger.serial || this.#closed) return;
    const dropped = this.discardAbsent();
    if (dropped > 0) owner.damaged(dropped);
    this.#options.onTrouble(
      'the store has lost what was kept of the queue; what is in memory of it is stored again, and what was only on disk is gone',
    );
    this.#extras.push(...this.#ledger.rewrite([...owner.queue].filter(({ place }) => place !== undefined)));
    this.#ends.exists = true;
    this.#commits.flush();
  }
}
