// The storekeeper's rules: what has gathered is written as one transaction, each commit is answered only after that,
// and after a fault of the disk the files are opened again before anything is trusted. It knows neither the thread nor
// lmdb.
import {
  type ChangeTarget,
  type CommitMessage,
  type FromKeeper,
  type Opened,
  type ReadAnswer,
  type Repair,
  type StoreFault,
  type ToKeeper,
  applyChanges,
  changeCount,
} from '../../protocol/store/messages.ts';
import type { StoreEngine, TransactionSize } from './engine.ts';
import { faultOfError } from './engine-fault.ts';
import { LongReads } from './long-reads.ts';
import { type OpenOptions, type OpenedStore, notesAreSynced, openStore } from './open-store.ts';
import { answerRead } from './reads.ts';
import { seal } from './sealed-value.ts';
import { StoreRoom } from './store-room.ts';

export interface KeeperOptions extends OpenOptions {
  readonly storeBytes: number;
  readonly noteBytes: number;
  post(message: FromKeeper): void;
  /** What a test has ordered: ends the thread or the process, or hangs. */
  carryOut(order: 'die' | 'kill' | 'hang'): void;
}

/** Of one transaction, so that whoever waits does not wait for all that has gathered. */
const mostBytesAtOnce = 8 * 1024 * 1024;
const mostCommitsAtOnce = 4096;

interface Failed {
  readonly id: number;
  readonly fault: StoreFault;
}

export class Keeper {
  readonly #options: KeeperOptions;
  readonly #long: LongReads;
  #store: OpenedStore;
  #room: StoreRoom;
  #noteRoom: StoreRoom;
  /** Told with the next answers. */
  #reopened: readonly Repair[] | undefined;

  /** Throws what keeps the store from being opened. */
  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#store = openStore(options);
    [this.#room, this.#noteRoom] = this.#rooms();
    this.#long = new LongReads(options, (answer) => this.#answer({ reads: [answer] }));
  }

  opened(): Opened {
    return { type: 'opened', format: this.#store.format, repairs: this.#store.repairs };
  }

  /** One round over the messages that have gathered. False when it was the last. */
  round(messages: readonly ToKeeper[]): boolean {
    for (const group of groupsOf(messages.flatMap(({ commits }) => commits))) this.#commit(group, messages);
    const notes = messages.flatMap((message) => message.notes);
    if (notes.length > 0) this.#write(notes);
    const reads = messages.flatMap((message) => message.reads);
    if (reads.length > 0) this.#answer({ reads: reads.flatMap((asked) => this.#read(asked)) });
    if (!messages.some(({ close }) => close === true)) return true;
    this.close();
    return false;
  }

  close(): void {
    this.#long.abandon();
    this.#store.kept.close();
    this.#store.notes.close();
    notesAreSynced(this.#options.folder);
  }

  #commit(group: readonly CommitMessage[], messages: readonly ToKeeper[]): void {
    const order = messages.find((message) => message.order !== undefined)?.order;
    if (order === 'hang') this.#options.carryOut('hang');
    if (order === 'die-before-commit' || order === 'kill-before-commit')
      this.#options.carryOut(order.startsWith('die') ? 'die' : 'kill');
    const commitsUpTo = group.at(-1)?.id ?? 0;
    const failed = this.#commitAll(group, order);
    if (order === 'die-after-commit' || order === 'kill-after-commit')
      this.#options.carryOut(order.startsWith('die') ? 'die' : 'kill');
    this.#answer({ commitsUpTo, failed });
  }

  /** Returns those that are not on disk. */
  #commitAll(group: readonly CommitMessage[], order?: string): Failed[] {
    const failed: Failed[] = [];
    const fitting = this.#room.fitting(this.#store.kept, group, (id, fault) => failed.push({ id, fault }));
    if (fitting.length === 0) return failed;
    const fault = this.#transact(fitting, order);
    if (fault === undefined) return failed;
    if (fault.reason !== 'full') return [...failed, ...all(fitting, fault)];
    // Not all fit together: what makes room is tried by itself.
    const [alone, rest] = [
      fitting.filter(({ removes }) => removes && fitting.length > 1),
      fitting.filter(({ removes }) => !removes || fitting.length === 1),
    ];
    failed.push(...all(rest, fault));
    for (const commit of alone) {
      const own = this.#transact([commit], order);
      if (own !== undefined) failed.push({ id: commit.id, fault: own });
    }
    return failed;
  }

  #transact(commits: readonly CommitMessage[], order?: string): StoreFault | undefined {
    const { kept } = this.#store;
    const bytes = commits.reduce((sum, commit) => sum + commit.bytes, 0);
    try {
      if (!kept.inPlace()) throw new Error('the file of the store was removed or replaced');
      if (order === 'disk-full') throw Object.assign(new Error('ordered by a failpoint'), { code: 'ENOSPC' });
      kept.transaction((tables) => {
        const target = sealing(tables);
        for (const { changes } of commits) applyChanges(changes, target);
        if (order === 'sync') throw Object.assign(new Error('ordered by a failpoint'), { code: 5 });
      }, sizeOf(commits));
      this.#room.took(bytes);
      return undefined;
    } catch (error) {
      const fault = faultOfError(error, this.#options.folder, bytes);
      if (fault.reason !== 'full') this.#reopen(fault);
      return fault;
    }
  }

  /** Throws what keeps it from being opened again: then the storekeeper is at its end. */
  #reopen(why: StoreFault): void {
    this.#long.abandon();
    this.#store.kept.close();
    this.#store.notes.close();
    this.#store = openStore({ ...this.#options, suspect: why.reason === 'damaged' });
    [this.#room, this.#noteRoom] = this.#rooms();
    this.#reopened = [
      ...(this.#reopened ?? []),
      { kind: 'reopened', message: `The store was opened again after a fault: ${why.message}` },
      ...this.#store.repairs,
    ];
  }

  #write(notes: readonly CommitMessage[]): void {
    const notesUpTo = notes.at(-1)?.id ?? 0;
    const failedNotes: Failed[] = [];
    const fitting = this.#noteRoom.fitting(this.#store.notes, notes, (id, fault) => failedNotes.push({ id, fault }));
    try {
      this.#store.notes.transaction(
        (tables) => {
          const target = sealing(tables);
          for (const { changes } of fitting) applyChanges(changes, target);
        },
        { ...sizeOf(fitting), removes: true },
      );
      this.#noteRoom.took(fitting.reduce((sum, { bytes }) => sum + bytes, 0));
    } catch (error) {
      failedNotes.push(...all(fitting, faultOfError(error, this.#options.folder)));
    }
    this.#answer({ notesUpTo, failedNotes });
  }

  #read({ id, read }: ToKeeper['reads'][number]): ReadAnswer[] {
    try {
      if (read.kind === 'backup' || read.kind === 'verify') {
        this.#long.begin(id, read, this.#store);
        return [];
      }
      return [{ id, result: answerRead(read, this.#store) }];
    } catch (error) {
      const fault = faultOfError(error, this.#options.folder);
      // What is read is brought from the journal into the engine first, and that the disk may refuse.
      if (fault.reason === 'io' && read.kind !== 'backup' && read.kind !== 'verify') this.#reopen(fault);
      return [{ id, fault }];
    }
  }

  #answer(answers: Partial<Extract<FromKeeper, { type: 'answers' }>>): void {
    const reopened = this.#reopened;
    this.#reopened = undefined;
    this.#options.post({
      type: 'answers',
      commitsUpTo: 0,
      notesUpTo: 0,
      failed: [],
      failedNotes: [],
      reads: [],
      ...answers,
      ...(reopened === undefined ? {} : { reopened }),
    });
  }

  #rooms(): [kept: StoreRoom, notes: StoreRoom] {
    return [
      new StoreRoom(this.#options.storeBytes, 'limits.storeBytes'),
      new StoreRoom(this.#options.noteBytes, 'limits.storeNoteBytes'),
    ];
  }
}

const sizeOf = (commits: readonly CommitMessage[]): TransactionSize => ({
  bytes: commits.reduce((sum, { bytes }) => sum + bytes, 0),
  changes: commits.reduce((sum, { changes }) => sum + changeCount(changes), 0),
  removes: commits.every(({ removes }) => removes),
});

const all = (commits: readonly CommitMessage[], fault: StoreFault): Failed[] =>
  commits.map(({ id }) => ({ id, fault }));

function sealing(tables: Parameters<Parameters<StoreEngine['transaction']>[0]>[0]): ChangeTarget {
  return {
    put: (table, key, value) => tables.put(table, key, seal(key, value)),
    remove: (table, key) => tables.remove(table, key),
    removeRange: (table, from, to) => tables.removeRange(table, from, to),
  };
}

/** In order, none larger than is written at once; a single commit may be. */
function groupsOf(commits: readonly CommitMessage[]): CommitMessage[][] {
  const groups: CommitMessage[][] = [];
  let bytes = 0;
  for (const commit of commits) {
    const group = groups.at(-1);
    bytes += commit.bytes;
    if (group === undefined || group.length >= mostCommitsAtOnce || bytes > mostBytesAtOnce) {
      groups.push([commit]);
      bytes = commit.bytes;
    } else {
      group.push(commit);
    }
  }
  return groups;
}
