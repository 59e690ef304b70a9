// An engine with a journal before it. A transaction is one record of the journal with one sync, where the engine needs
// two and a page for each table that it touches. What is in the journal goes into the engine later, many transactions
// as one, before the journal is full and before anything is read. A daemon that begins takes from the journal what the
// engine has not got.
import { randomBytes } from 'node:crypto';
import { seal, unseal } from './sealed-value.ts';
import type {
  EngineEntry,
  EngineSnapshot,
  EngineTables,
  EngineUsage,
  RangeOptions,
  StoreEngine,
  TransactionSize,
} from './engine.ts';
import { ChangeRecord, applyRecord } from './change-record.ts';
import type { Journal } from './journal-file.ts';
import { PendingChanges } from './pending-changes.ts';

const markTable = 'about';
const markKey = 'journal';
/** Each may cost the engine a page, for which there must be room before its record is written. */
const mostChanges = 1024;
const smallSize: TransactionSize = { bytes: 0, changes: 0, removes: true };

/** What the engine says of the journal, in the transaction that takes its records. */
interface Mark {
  readonly id: string;
  /** The number of the last record that is in the engine. */
  readonly taken: number;
  /** The journal may hold more. Absent after an orderly end, and in a store that never had one. */
  readonly inUse?: true;
}

export interface TakenJournal {
  /** Undefined where there is no room for one. */
  readonly journal: Journal | undefined;
  readonly id: string;
  /** The number of the last record that was taken. */
  readonly taken: number;
  readonly lost: LostRecords | undefined;
}

/** What was answered as stored and is not there any more. */
export interface LostRecords {
  /** What became of the journal, for the operator. */
  readonly why: string;
  /** Some of it stands in the file, which is about to be written over. */
  readonly isLeft: boolean;
}

/**
 * Brings into the engine what a journal holds that the engine has not got. `open` gives none where there is no room
 * for one.
 */
export function takeJournal(engine: StoreEngine, open: (id: string) => Journal | undefined): TakenJournal {
  const { id, taken, inUse } = markOf(engine) ?? begun(engine);
  const journal = open(id);
  const isMissing = inUse === true && journal?.wasWhole !== true;
  const missing = isMissing
    ? { why: `it was missing or cut short after commit ${String(taken)}`, isLeft: false }
    : undefined;
  if (journal === undefined) return { journal, id, taken, lost: missing };
  try {
    const { records, behindDamage } = journal.read(taken);
    if (records.length > 0) takeRecords(engine, records, { id, taken: taken + records.length });
    if (behindDamage === 0) return { journal, id, taken: taken + records.length, lost: missing };
    // The numbers of what is lost are not given again: the records behind the damage would pass for newer ones.
    const last = taken + records.length + 1 + behindDamage;
    return { journal, id, taken: last, lost: damageOf(taken + records.length, behindDamage) };
  } catch (error) {
    journal.close();
    throw error;
  }
}

const damageOf = (last: number, behind: number): LostRecords => ({
  why: `it was damaged behind commit ${String(last)}, which is the last one that is there; ${String(behind + 1)} later ones are lost`,
  isLeft: true,
});

function takeRecords(engine: StoreEngine, records: readonly Uint8Array[], mark: Mark): void {
  const pending = new PendingChanges();
  for (const record of records) applyRecord(record, pending);
  engine.transaction((tables) => {
    pending.applyTo(tables);
    putMark(tables, mark);
  }, pending.size);
}

/** The mark of the journal stays out of a copy: the records of this store are not those of the copy. */
export const isMark = (table: string, key: string): boolean => table === markTable && key === markKey;

export class JournaledEngine implements StoreEngine {
  readonly #engine: StoreEngine;
  readonly #journal: Journal;
  readonly #id: string;
  readonly #pending = new PendingChanges();
  /** The number of the newest record, or of the newest transaction that was too large for one. */
  #last: number;
  /** The journal failed, and nobody knows what is on disk: everything has to be opened and read again. */
  #fault: Error | undefined;

  constructor(engine: StoreEngine, journal: Journal, { id, taken }: Pick<TakenJournal, 'id' | 'taken'>) {
    this.#engine = engine;
    this.#journal = journal;
    this.#id = id;
    this.#last = taken;
  }

  transaction(run: (tables: EngineTables) => void, size: TransactionSize = smallSize): void {
    if (this.#fault !== undefined) throw this.#fault;
    const record = new ChangeRecord();
    run(record);
    if (record.bytes > this.#journal.mostBytes || record.count > mostChanges) {
      this.#take(record, size);
      return;
    }
    if (!this.#journal.fits(record.bytes) || this.#pending.size.changes + record.count > mostChanges) this.#take();
    this.reserve(size);
    this.#append(record.encoded());
    record.applyTo(this.#pending);
  }

  /** With what waits in the journal: that was answered as stored, so that there must be room for it. */
  reserve(size: TransactionSize): void {
    if (!this.#pending.isEmpty) {
      try {
        this.#engine.reserve(sum(this.#pending.size, size));
        return;
      } catch {
        // It may fit when what waits is in the engine: until then it is counted for the most that it can need.
        this.#take();
      }
    }
    this.#engine.reserve(size);
  }

  get(...of: Parameters<StoreEngine['get']>): Uint8Array | undefined {
    return this.#whole().get(...of);
  }

  range(...of: Parameters<StoreEngine['range']>): Iterable<EngineEntry> {
    return this.#whole().range(...of);
  }

  count(name: string, options: RangeOptions): number {
    return this.#whole().count(name, options);
  }

  snapshot(): EngineSnapshot {
    return this.#whole().snapshot();
  }

  tables(): readonly string[] {
    return this.#whole().tables();
  }

  usage(): EngineUsage {
    return this.#whole().usage();
  }

  inPlace(): boolean {
    return this.#journal.inPlace() && this.#engine.inPlace();
  }

  close(): void {
    try {
      if (this.#fault === undefined) this.#end();
    } catch {
      // It stays in the journal, from which the next one takes it.
    }
    this.#journal.close();
    this.#engine.close();
  }

  #whole(): StoreEngine {
    if (this.#fault !== undefined) throw this.#fault;
    this.#take();
    return this.#engine;
  }

  /** Brings into the engine what waits in the journal, and with it what is too large for the journal. */
  #take(more = new ChangeRecord(), size: TransactionSize = smallSize): void {
    if (this.#pending.isEmpty && more.count === 0) return;
    const last = this.#last + (more.count === 0 ? 0 : 1);
    this.#engine.transaction(
      (tables) => {
        this.#pending.applyTo(tables);
        more.applyTo(tables);
        putMark(tables, { id: this.#id, taken: last, inUse: true });
      },
      sum(this.#pending.size, size),
    );
    this.#last = last;
    this.#pending.clear();
    this.#journal.rewind();
  }

  /** From here on nothing is lost with the journal. */
  #end(): void {
    this.#engine.transaction((tables) => {
      this.#pending.applyTo(tables);
      putMark(tables, { id: this.#id, taken: this.#last });
    }, this.#pending.size);
  }

  #append(record: Uint8Array): void {
    try {
      this.#journal.append(this.#last + 1, record);
      this.#last += 1;
    } catch (error) {
      // Never for want of room, whatever the disk says: that would mean that nothing has changed.
      const message = error instanceof Error ? error.message : String(error);
      this.#fault = Object.assign(new Error(message, { cause: error }), { code: 'EIO' });
      throw this.#fault;
    }
  }
}

const sum = (left: TransactionSize, right: TransactionSize): TransactionSize => ({
  bytes: left.bytes + right.bytes,
  changes: left.changes + right.changes,
  removes: left.removes && right.removes,
});

/** Undefined in a store that never had a journal. Throws where it is not what was written. */
export function markOf(engine: StoreEngine): Mark | undefined {
  const sealed = engine.get(markTable, markKey);
  if (sealed === undefined) return undefined;
  const text = unseal(markKey, sealed);
  if (text === undefined) throw new Error('what it says of its journal is not what was written');
  return JSON.parse(Buffer.from(text).toString()) as Mark;
}

function begun(engine: StoreEngine): Mark {
  const mark = { id: randomBytes(8).toString('hex'), taken: 0 };
  engine.transaction((tables) => putMark(tables, mark));
  return mark;
}

/** In the transaction in which a daemon begins: what it answers as stored from now on may be in the journal alone. */
export function putMarkAtStart(tables: EngineTables, { journal, id, taken }: TakenJournal): void {
  putMark(tables, journal === undefined ? { id, taken } : { id, taken, inUse: true });
}

function putMark(tables: EngineTables, mark: Mark): void {
  tables.put(markTable, markKey, seal(markKey, JSON.stringify(mark)));
}
