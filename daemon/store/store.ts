// The host's side of the store: it hands changes to the storekeeper and answers when they are on disk. It knows no
// engine, never waits for the disk itself, and settles every call in bounded time, whatever becomes of the storekeeper.
//
// - `commit` applies a list of changes as one transaction. It resolves when they are on disk, and rejects with
//   `storage_full` or `storage_failed`. A commit that failed for want of room has changed nothing. After
//   `storage_failed` it is unknown whether it took effect: whoever keeps a copy of what is stored reads it again in
//   `onReopened`, or writes it whole.
// - `note` applies changes that survive the end of the process, but not that of the machine.
// - Commits take effect in the order in which they were handed over. Each may fail alone.
// - Reads see every commit that was handed over before them.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Change } from '../../protocol/store/change.ts';
import type { FromKeeper, Opened, Read, ReadResult, Repair, StoreFault } from '../../protocol/store/messages.ts';
import type { HostError } from '../../protocol/errors.ts';
import type { Clock, Timer } from '../time/clock.ts';
import { type KeeperThread, type SpawnKeeper, spawnKeeper } from './keeper-thread.ts';
import { orderedFault } from './ordered-fault.ts';
import { type RoomUse, StoreCalls, type StoreLimits } from './store-calls.ts';
import { StoreReads } from './store-reads.ts';
import { checkedBytes, storeError } from './store-error.ts';
import { settledLater } from './settled-later.ts';
import { type TellStore, StoreTrouble } from './store-trouble.ts';
import { type StoreCause, type StoreState, nextState, restartDelayMs } from './store-states.ts';

export interface StoreOptions {
  readonly stateFolder: string;
  /** The version of this program. */
  readonly version: string;
  readonly limits: StoreLimits;
  readonly clock: Clock;
  readonly spawn?: SpawnKeeper;
  /** Runs once the present turn of the event loop is done. */
  readonly turnEnd?: (run: () => void) => void;
  readonly tell: TellStore;
}

export interface StoreHealth {
  readonly state: StoreState;
  readonly fault: StoreFault | null;
  readonly sinceMs: number | null;
  readonly pending: { readonly commits: number; readonly bytes: number };
  readonly counters: {
    readonly commits: number;
    readonly failedCommits: number;
    readonly lostNotes: number;
    readonly ends: number;
  };
  readonly repairs: readonly Repair[];
}

export class Store {
  readonly folder: string;
  /** What is kept: synced before a commit is answered. */
  readonly kept: StoreReads;
  /** What was written by `note`. */
  readonly notes: StoreReads;
  readonly #options: StoreOptions;
  readonly #turnEnd: (run: () => void) => void;
  readonly #calls: StoreCalls;
  readonly #trouble: StoreTrouble;
  #state: StoreState = 'unused';
  #thread: KeeperThread | undefined;
  #scheduled = false;
  #watch: Timer | undefined;
  #retry: Timer | undefined;
  #endsInARow = 0;
  /** Why the storekeeper that runs now gives up. */
  #lastWords: StoreFault | undefined;
  /** Somebody was told of a failure since it was open last. */
  #toldFailure = false;
  readonly #counters = { commits: 0, failedCommits: 0, lostNotes: 0, ends: 0 };
  readonly #reopened = new Set<() => void>();
  readonly #beforeSending: (() => void)[] = [];
  /** Who waits for it to be open, or for its end. */
  #opening = settledLater();
  #gone: () => void = () => {};

  constructor(options: StoreOptions) {
    this.#options = options;
    this.folder = join(options.stateFolder, 'store');
    this.#turnEnd = options.turnEnd ?? ((run) => void setImmediate(run));
    const { clock, limits } = options;
    this.#calls = new StoreCalls(clock, limits);
    this.#trouble = new StoreTrouble(clock, options.tell);
    this.kept = new StoreReads('kept', limits.storeMs, this.#ask);
    this.notes = new StoreReads('notes', limits.storeMs, this.#ask);
  }

  /** Something is stored, or may be: the file exists. */
  get exists(): boolean {
    return this.#state !== 'unused' || existsSync(join(this.folder, 'kept.mdb'));
  }

  /** The thread still exists and would keep the process from ending. */
  get leftover(): number {
    return this.#thread === undefined ? 0 : 1;
  }

  health(): StoreHealth {
    return {
      state: this.#state,
      fault: this.#trouble.fault ?? null,
      sinceMs: this.#trouble.sinceMs,
      pending: this.#calls.pending,
      counters: { ...this.#counters },
      repairs: this.#trouble.repairs,
    };
  }

  /** Opens what is there; does nothing where nothing is stored. Rejects if the store cannot be opened now. */
  async open(): Promise<void> {
    if (!this.exists || this.#state === 'open') return;
    const refusal = this.#refusal();
    if (refusal !== undefined) throw refusal;
    this.#need();
    await this.#opening.promise;
  }

  /**
   * Runs each time when what was read from the store, or handed to it without an answer, can be trusted no more: the
   * storekeeper was replaced, or the files were opened again after a fault. Returns a function that ends it.
   */
  onReopened(listener: () => void): () => void {
    this.#reopened.add(listener);
    return () => void this.#reopened.delete(listener);
  }

  /**
   * Resolves when all of the changes are on disk. `room`: whether they may use what is reserved for emptying a store
   * that is full; absent: where they remove something.
   */
  commit(changes: readonly Change[], room?: RoomUse): Promise<void> {
    return new Promise((done, failed) => {
      const bytes = checkedBytes(changes);
      const refusal = this.#refusal() ?? this.#calls.overBound(bytes);
      if (refusal !== undefined) {
        this.#counters.failedCommits += 1;
        failed(refusal);
        return;
      }
      this.#calls.commit(changes, { bytes, room }, done, failed);
      this.#need();
      this.#schedule();
    });
  }

  /** Runs when the present turn is done; what it hands over is sent with all the rest of the turn. */
  atTurnEnd(run: () => void): void {
    this.#beforeSending.push(run);
    this.#schedule();
  }

  /** False when the changes were not written. Nobody has to wait for it. */
  note(changes: readonly Change[]): Promise<boolean> {
    return new Promise((settled) => {
      const bytes = checkedBytes(changes);
      const lost = (): void => {
        this.#counters.lostNotes += 1;
        settled(false);
      };
      if ((this.#refusal() ?? this.#calls.overBound(bytes)) !== undefined) {
        lost();
        return;
      }
      this.#calls.note(changes, { bytes }, () => settled(true), lost);
      this.#need();
      this.#schedule();
    });
  }

  /** Writes what was handed over, and ends the storekeeper. True when it has ended within the time. */
  async close(withinMs: number): Promise<boolean> {
    this.#retry?.cancel();
    const gone = new Promise<boolean>((resolve) => {
      const timer = this.#options.clock.after(withinMs, () => resolve(false));
      this.#gone = () => {
        timer.cancel();
        resolve(true);
      };
    });
    // What is still being opened takes the last message once it is open.
    if (this.#state === 'opening') await Promise.race([this.#opening.promise.catch(() => undefined), gone]);
    this.#move('closed');
    if (this.#thread === undefined) this.#gone();
    else this.#thread.post({ ...this.#calls.take(), close: true });
    const ended = await gone;
    this.#watch?.cancel();
    this.#failAll({ reason: 'unavailable', message: 'The daemon ended before the store had answered.' });
    return ended;
  }

  readonly #ask = (read: Read, deadlineMs: number): Promise<ReadResult> => {
    if (!this.exists) return Promise.resolve(undefined);
    return new Promise((done, failed) => {
      const refusal = this.#refusal();
      if (refusal !== undefined) {
        failed(refusal);
        return;
      }
      this.#calls.read(read, deadlineMs, done, failed);
      this.#need();
      this.#schedule();
    });
  };

  /** Undefined where a call may be handed over. */
  #refusal(): HostError | undefined {
    if (this.#state === 'unused' || this.#state === 'opening' || this.#state === 'open') return undefined;
    if (this.#state === 'closed')
      return storeError({ reason: 'unavailable', message: 'The store is closed: the daemon ends.' });
    return storeError(this.#trouble.fault ?? { reason: 'unavailable', message: 'The store is not available.' });
  }

  #need(): void {
    if (this.#move('needed')) this.#spawn();
  }

  #spawn(): void {
    const { limits, version, spawn = spawnKeeper } = this.#options;
    const data = {
      folder: this.folder,
      storeBytes: limits.storeBytes,
      noteBytes: limits.storeNoteBytes,
      madeBy: version,
    };
    const mine: KeeperThread = spawn(data, {
      message: (message) => (mine === this.#thread ? this.#receive(message) : undefined),
      ended: (why) => (mine === this.#thread ? this.#ended(why) : undefined),
    });
    this.#thread = mine;
    this.#lastWords = undefined;
    this.#armWatch();
  }

  #receive(message: FromKeeper): void {
    if (message.type === 'opened') this.#opened(message);
    else if (message.type === 'unusable') this.#unusable(message.fault);
    else this.#answered(message);
  }

  #opened({ repairs }: Opened): void {
    this.#trouble.repaired(repairs);
    if (!this.#move('opened')) return;
    this.#trouble.over();
    this.#opening.resolve();
    this.#schedule();
    if (this.#toldFailure || repairs.length > 0) this.#tellReopened();
    this.#toldFailure = false;
  }

  #unusable(fault: StoreFault): void {
    this.#lastWords = fault;
    this.#trouble.began(fault);
    if (fault.reason === 'newer_format') this.#move('refused');
    // What was handed over may have taken effect, for whatever reason the storekeeper gives up afterwards.
    this.#failAll(this.#state === 'opening' || fault.reason !== 'full' ? fault : { ...fault, reason: 'io' });
  }

  #answered({
    commitsUpTo,
    notesUpTo,
    failed,
    failedNotes,
    reads,
    reopened,
  }: Extract<FromKeeper, { type: 'answers' }>): void {
    const wasStalled = this.#move('answered');
    if (reopened !== undefined) this.#trouble.repaired(reopened);
    const done = this.#calls.settleCommits(commitsUpTo, failed);
    this.#counters.commits += done;
    this.#counters.failedCommits += failed.length;
    const [first] = failed;
    if (first !== undefined) this.#trouble.began(first.fault);
    if (done > 0) this.#endsInARow = 0;
    if (first === undefined && (done > 0 || wasStalled)) this.#trouble.over();
    this.#calls.settleNotes(notesUpTo, failedNotes);
    for (const answer of reads) this.#calls.settleRead(answer);
    if (wasStalled || reopened !== undefined) this.#tellReopened();
    // Whoever had waited hands over what has gathered meanwhile, and the disk has nothing to do before that is sent.
    if (done > 0) queueMicrotask(this.#send);
  }

  #ended(why: string | undefined): void {
    this.#thread = undefined;
    this.#watch?.cancel();
    this.#watch = undefined;
    this.#gone();
    if (!this.#move('ended')) return;
    this.#counters.ends += 1;
    const fault: StoreFault = this.#lastWords ?? {
      reason: 'unavailable',
      message: `The storekeeper's thread ended${why === undefined ? '' : `: ${why}`}.`,
    };
    this.#trouble.began(fault);
    this.#failAll(fault);
    this.#retry = this.#options.clock.after(restartDelayMs(this.#endsInARow), () => {
      if (this.#move('retried')) this.#spawn();
    });
    this.#endsInARow += 1;
  }

  #failAll(fault: StoreFault): void {
    this.#toldFailure = true;
    this.#counters.failedCommits += this.#calls.failAll(fault);
    this.#opening.reject(storeError(fault));
    this.#opening = settledLater();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#turnEnd(this.#flush);
  }

  readonly #flush = (): void => {
    this.#scheduled = false;
    for (let run = this.#beforeSending.shift(); run !== undefined; run = this.#beforeSending.shift()) run();
    this.#send();
  };

  readonly #send = (): void => {
    if (this.#state !== 'open' || !this.#calls.hasAnythingToSend) return;
    const order = this.#calls.hasCommitsToSend ? orderedFault() : undefined;
    this.#thread?.post({ ...this.#calls.take(), ...(order === undefined ? {} : { order }) });
    this.#armWatch();
  };

  /** One timer for the oldest that waits, or for the opening. */
  #armWatch(): void {
    if (this.#watch !== undefined) return;
    const {
      clock,
      limits: { storeMs },
    } = this.#options;
    const nowMs = clock.monotonicMs();
    const sinceMs = this.#state === 'opening' ? nowMs : this.#calls.oldestMs;
    if (sinceMs === Infinity) return;
    const isLate = (): boolean =>
      (this.#state === 'opening' ? sinceMs : this.#calls.oldestMs) <= clock.monotonicMs() - storeMs;
    this.#watch = clock.after(Math.max(1, sinceMs + storeMs - nowMs), () => {
      this.#watch = undefined;
      if (isLate()) this.#late(storeMs);
      else this.#armWatch();
    });
  }

  #late(storeMs: number): void {
    if (!this.#move('late')) return;
    const fault: StoreFault = {
      reason: 'io',
      message: `The disk of the state folder does not answer: the store waited ${String(storeMs)} ms for it.`,
      details: { reason: 'no_answer' },
    };
    this.#trouble.began(fault);
    this.#failAll(fault);
  }

  #move(cause: StoreCause): boolean {
    const next = nextState(this.#state, cause);
    if (next === undefined) return false;
    this.#state = next;
    return true;
  }

  #tellReopened(): void {
    for (const listener of [...this.#reopened]) listener();
  }
}
