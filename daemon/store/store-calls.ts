// What was asked of the store and is not answered yet: what waits to be handed over at the end of the turn, and who
// waits for an answer. Its bounds are on what waits, so that a disk that does not keep up is told to callers and not
// paid with memory.
import type { Change } from '../../protocol/store/change.ts';
import {
  type CommitMessage,
  type Read,
  type ReadAnswer,
  type ReadResult,
  type StoreFault,
  type ToKeeper,
  packChanges,
} from '../../protocol/store/messages.ts';
import { HostError } from '../../protocol/errors.ts';
import type { Limits } from '../config/schema.ts';
import type { Clock, Timer } from '../time/clock.ts';
import { PendingWrites } from './pending-writes.ts';
import { storeError } from './store-error.ts';

export type StoreLimits = Pick<
  Limits,
  'storeBytes' | 'storeNoteBytes' | 'storeMs' | 'storePendingBytes' | 'storePendingCommits'
>;

/** `replaces`: what is written takes the place of what is there; `adds`: it does not, whatever it removes beside it. */
export type RoomUse = 'adds' | 'replaces';

interface Weight {
  readonly bytes: number;
  readonly room?: RoomUse | undefined;
}

interface Outbox {
  readonly commits: CommitMessage[];
  readonly notes: CommitMessage[];
  readonly reads: { readonly id: number; readonly read: Read }[];
}

interface PendingRead {
  readonly timer: Timer;
  readonly done: (result: ReadResult) => void;
  readonly failed: (error: Error) => void;
}

type Failed = readonly { readonly id: number; readonly fault: StoreFault }[];

const empty = (): Outbox => ({ commits: [], notes: [], reads: [] });

export class StoreCalls {
  readonly #clock: Clock;
  readonly #limits: StoreLimits;
  readonly #commits = new PendingWrites();
  readonly #notes = new PendingWrites();
  readonly #reads = new Map<number, PendingRead>();
  #outbox = empty();
  #lastId = 0;

  constructor(clock: Clock, limits: StoreLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  get pending(): { readonly commits: number; readonly bytes: number } {
    return { commits: this.#commits.count, bytes: this.#commits.bytes };
  }

  /** Since when the oldest commit or note waits; `Infinity` where none does. */
  get oldestMs(): number {
    return Math.min(this.#commits.oldestMs ?? Infinity, this.#notes.oldestMs ?? Infinity);
  }

  get hasCommitsToSend(): boolean {
    return this.#outbox.commits.length > 0;
  }

  get hasAnythingToSend(): boolean {
    return this.#outbox.commits.length + this.#outbox.notes.length + this.#outbox.reads.length > 0;
  }

  /** Undefined where so many bytes more may wait. */
  overBound(bytes: number): HostError | undefined {
    const { storePendingBytes, storePendingCommits } = this.#limits;
    const count = this.#commits.count + this.#notes.count;
    const waitingBytes = this.#commits.bytes + this.#notes.bytes;
    if (count >= storePendingCommits)
      return over('limits.storePendingCommits', storePendingCommits, `${String(count)} commits wait`);
    // One that is larger than the bound by itself is taken when nothing else waits.
    if (count > 0 && waitingBytes + bytes > storePendingBytes)
      return over('limits.storePendingBytes', storePendingBytes, `${String(waitingBytes)} bytes wait`);
    return undefined;
  }

  commit(changes: readonly Change[], weight: Weight, done: () => void, failed: (error: Error) => void): void {
    const message = this.#message(changes, weight);
    this.#commits.add({ id: message.id, bytes: weight.bytes, sinceMs: this.#clock.monotonicMs(), done, failed });
    this.#outbox.commits.push(message);
  }

  note(changes: readonly Change[], weight: Weight, done: () => void, failed: (error: Error) => void): void {
    const message = this.#message(changes, weight);
    this.#notes.add({ id: message.id, bytes: weight.bytes, sinceMs: this.#clock.monotonicMs(), done, failed });
    this.#outbox.notes.push(message);
  }

  read(read: Read, deadlineMs: number, done: (result: ReadResult) => void, failed: (error: Error) => void): void {
    const id = this.#nextId();
    const timer = this.#clock.after(deadlineMs, () => {
      this.#reads.delete(id);
      failed(
        storeError({
          reason: 'io',
          message: `The store did not answer within ${String(deadlineMs)} ms.`,
          details: { reason: 'no_answer' },
        }),
      );
    });
    this.#reads.set(id, { timer, done, failed });
    this.#outbox.reads.push({ id, read });
  }

  /** What is to be handed over now. */
  take(): ToKeeper {
    const taken = this.#outbox;
    this.#outbox = empty();
    return taken;
  }

  /** All commits up to this id are answered. Returns how many of them are on disk. */
  settleCommits(upTo: number, failed: Failed): number {
    const before = this.#commits.count;
    this.#commits.settle(upTo, errorsOf(failed));
    return Math.max(0, before - this.#commits.count - failed.length);
  }

  settleNotes(upTo: number, failed: Failed): void {
    this.#notes.settle(upTo, errorsOf(failed));
  }

  settleRead(answer: ReadAnswer): void {
    const read = this.#reads.get(answer.id);
    if (read === undefined) return;
    this.#reads.delete(answer.id);
    read.timer.cancel();
    if ('fault' in answer) read.failed(storeError(answer.fault));
    else read.done(answer.result);
  }

  /** Everybody who waits is told, and what was not handed over yet is dropped. Returns how many commits that were. */
  failAll(fault: StoreFault): number {
    const error = storeError(fault);
    const commits = this.#commits.count;
    this.#outbox = empty();
    this.#commits.failAll(error);
    this.#notes.failAll(error);
    for (const { timer, failed } of this.#reads.values()) {
      timer.cancel();
      failed(error);
    }
    this.#reads.clear();
    return commits;
  }

  #message(changes: readonly Change[], { bytes, room }: Weight): CommitMessage {
    return {
      id: this.#nextId(),
      changes: packChanges(changes),
      bytes,
      removes: room === undefined ? changes.some(({ op }) => op !== 'put') : room === 'replaces',
    };
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }
}

const errorsOf = (failed: Failed): ReadonlyMap<number, Error> =>
  new Map(failed.map(({ id, fault }) => [id, storeError(fault)]));

const over = (limit: string, maximum: number, what: string): HostError =>
  new HostError(
    'storage_failed',
    `The store does not keep up: ${what} for the disk; ${limit} allows ${String(maximum)}.`,
    { reason: 'overloaded', limit, maximum },
  );
