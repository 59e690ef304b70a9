// A storekeeper without a thread and without a disk: the real rules over a database in memory that fails at the step a
// test names, and that keeps, as a disk does, exactly what its last finished transaction left.
import { Keeper } from '../../workers/store/keeper.ts';
import type { EngineEntry, EngineTables, RangeOptions, StoreEngine } from '../../workers/store/engine.ts';
import type { FoundRecords, Journal } from '../../workers/store/journal-file.ts';
import type { FromKeeper, ToKeeper } from '../../protocol/store/messages.ts';
import type { KeeperListener, SpawnKeeper } from '../../daemon/store/keeper-thread.ts';

/** Where the next transaction, or what follows it, fails. */
export type Step = 'none' | 'begin' | 'between changes' | 'sync' | 'full' | 'died before' | 'died after';

type Tables = Map<string, Map<string, Uint8Array>>;

const copyOf = (tables: Tables): Tables => new Map([...tables].map(([name, entries]) => [name, new Map(entries)]));
const failure = (code: number | string): Error => Object.assign(new Error('the simulated disk fails'), { code });

const byUnits = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);

/** What is on the simulated disk, however often the storekeeper dies. */
export class SimulatedDisk {
  readonly files = new Map<string, Tables>();
  readonly journals = new Map<string, Map<number, Uint8Array>>();
  /** Taken one after the other, one for each message with commits. */
  readonly steps: Step[] = [];
}

export class SimulatedEngine implements StoreEngine {
  readonly #disk: SimulatedDisk;
  readonly #path: string;
  readonly #order: (left: string, right: string) => number;
  step: Step = 'none';

  /** `order`: of the keys. */
  constructor(disk: SimulatedDisk, path: string, order = byUnits) {
    this.#disk = disk;
    this.#path = path;
    this.#order = order;
    if (!disk.files.has(path)) disk.files.set(path, new Map());
  }

  get #tables(): Tables {
    return this.#disk.files.get(this.#path) ?? new Map();
  }

  transaction(run: (tables: EngineTables) => void): void {
    const { step } = this;
    if (step === 'begin') throw failure(5);
    if (step === 'full') throw failure('ENOSPC');
    const next = copyOf(this.#tables);
    let changes = 0;
    const counted = (): void => {
      changes += 1;
      if (step === 'between changes' && changes === 2) throw failure(5);
    };
    const tableOf = (name: string): Map<string, Uint8Array> => {
      const table = next.get(name) ?? new Map<string, Uint8Array>();
      next.set(name, table);
      return table;
    };
    run({
      put: (table, key, value) => (counted(), void tableOf(table).set(key, value)),
      remove: (table, key) => (counted(), void tableOf(table).delete(key)),
      removeRange: (table, from, to) => (
        counted(),
        [...tableOf(table).keys()].filter(this.#within(from, to)).forEach((key) => tableOf(table).delete(key))
      ),
    });
    if (step === 'sync') throw failure(5);
    this.#disk.files.set(this.#path, next);
  }

  reserve(): void {
    if (this.step === 'full') throw failure('ENOSPC');
  }

  get(table: string, key: string): Uint8Array | undefined {
    return this.#tables.get(table)?.get(key);
  }

  range(table: string, { from, to, reverse = false }: RangeOptions): Iterable<EngineEntry> {
    const entries = [...(this.#tables.get(table) ?? [])]
      .filter(([key]) => this.#within(from, to)(key))
      .map(([key, value]) => ({ key, value }));
    return entries.sort((left, right) => (reverse ? -1 : 1) * this.#order(left.key, right.key));
  }

  count(table: string, options: RangeOptions): number {
    return [...this.range(table, options)].length;
  }

  snapshot(): { range: StoreEngine['range']; done: () => void } {
    return { range: (table, options) => this.range(table, options), done: () => undefined };
  }

  tables(): readonly string[] {
    return [...this.#tables.keys()];
  }

  usage(): { tables: { table: string; entries: number; bytes: number }[]; fileBytes: number } {
    return {
      tables: [...this.#tables].map(([table, entries]) => ({ table, entries: entries.size, bytes: 0 })),
      fileBytes: 0,
    };
  }

  inPlace(): boolean {
    return true;
  }

  close(): void {
    // Nothing is held.
  }

  #within(from: string, to: string): (key: string) => boolean {
    return (key) => this.#order(key, from) >= 0 && this.#order(key, to) < 0;
  }
}

/** Holds a few records only, so that they are brought into the engine often. */
const journalRecords = 5;

class SimulatedJournal implements Journal {
  readonly mostBytes = 10_000;
  readonly wasWhole: boolean;
  readonly #records: Map<number, Uint8Array>;
  #waiting = 0;
  step: Step = 'none';

  constructor(disk: SimulatedDisk, path: string) {
    this.wasWhole = disk.journals.has(path);
    this.#records = disk.journals.get(path) ?? new Map<number, Uint8Array>();
    disk.journals.set(path, this.#records);
  }

  read(after: number): FoundRecords {
    const records = [...this.#records].flatMap(([number, record]) => (number > after ? [record] : []));
    return { records, behindDamage: 0 };
  }

  fits(): boolean {
    return this.#waiting < journalRecords;
  }

  append(number: number, record: Uint8Array): void {
    if (this.step === 'between changes') throw failure(5);
    this.#records.set(number, record);
    this.#waiting += 1;
    // It is there and was not answered for.
    if (this.step === 'sync') throw failure(5);
  }

  rewind(): void {
    this.#waiting = 0;
    this.#records.clear();
  }

  inPlace(): boolean {
    return true;
  }

  close(): void {
    // Nothing is held.
  }
}

/** `later` runs what the thread does in a turn of its own. */
export function simulatedKeeper(disk: SimulatedDisk, later: (run: () => void) => void): SpawnKeeper {
  return (data, listener) => {
    const thread = new SimulatedThread(disk, listener, later);
    later(() => thread.begin(data));
    return thread;
  };
}

class SimulatedThread {
  readonly #disk: SimulatedDisk;
  readonly #listener: KeeperListener;
  readonly #later: (run: () => void) => void;
  readonly #parts: (SimulatedEngine | SimulatedJournal)[] = [];
  #keeper: Keeper | undefined;
  #dead = false;
  #step: Step = 'none';

  constructor(disk: SimulatedDisk, listener: KeeperListener, later: (run: () => void) => void) {
    this.#disk = disk;
    this.#listener = listener;
    this.#later = later;
  }

  begin(data: Parameters<SpawnKeeper>[0]): void {
    const openEngine = (path: string): StoreEngine => {
      const engine = new SimulatedEngine(this.#disk, path);
      this.#parts.push(engine);
      return engine;
    };
    const openJournal = (path: string): Journal => {
      const journal = new SimulatedJournal(this.#disk, path);
      this.#parts.push(journal);
      return journal;
    };
    this.#keeper = new Keeper({
      ...data,
      openEngine,
      openJournal,
      post: (message) => this.#post(message),
      carryOut: () => undefined,
    });
    this.#post(this.#keeper.opened());
  }

  post(message: ToKeeper): void {
    this.#later(() => this.#take(message));
  }

  #take(message: ToKeeper): void {
    if (this.#dead) return;
    this.#step = message.commits.length === 0 ? 'none' : (this.#disk.steps.shift() ?? 'none');
    if (this.#step === 'died before') return this.#die();
    for (const part of this.#parts) part.step = this.#step;
    try {
      if (this.#keeper?.round([message]) === false) this.#die();
    } catch {
      // As the thread does: it says that it cannot go on, and ends.
      this.#post({ type: 'unusable', fault: { reason: 'io', message: 'the simulated disk fails' } });
      this.#die();
    }
  }

  #post(message: FromKeeper): void {
    if (this.#dead) return;
    if (this.#step === 'died after') return this.#die();
    this.#later(() => this.#listener.message(message));
  }

  #die(): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#later(() => this.#listener.ended('ordered by a test'));
  }
}
