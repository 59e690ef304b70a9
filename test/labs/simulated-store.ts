// A storekeeper without a thread and without a disk: the real rules over a database in memory that fails at the step a
// test names, and that keeps, as a disk does, exactly what its last finished transaction left.
import { Keeper } from '../../workers/store/keeper.ts';
import type { EngineEntry, EngineTables, RangeOptions, StoreEngine } from '../../workers/store/engine.ts';
import type { FromKeeper, ToKeeper } from '../../protocol/store/messages.ts';
import type { KeeperListener, SpawnKeeper } from '../../daemon/store/keeper-thread.ts';

/** Where the next transaction, or what follows it, fails. */
export type Step = 'none' | 'begin' | 'between changes' | 'sync' | 'full' | 'died before' | 'died after';

type Tables = Map<string, Map<string, Uint8Array>>;

const copyOf = (tables: Tables): Tables => new Map([...tables].map(([name, entries]) => [name, new Map(entries)]));
const failure = (code: number | string): Error => Object.assign(new Error('the simulated disk fails'), { code });

/** What is on the simulated disk, however often the storekeeper dies. */
export class SimulatedDisk {
  readonly files = new Map<string, Tables>();
  /** Taken one after the other, one for each message with commits. */
  readonly steps: Step[] = [];
}

class SimulatedEngine implements StoreEngine {
  readonly #disk: SimulatedDisk;
  readonly #path: string;
  step: Step = 'none';

  constructor(disk: SimulatedDisk, path: string) {
    this.#disk = disk;
    this.#path = path;
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
        [...tableOf(table).keys()].filter((key) => key >= from && key < to).forEach((key) => tableOf(table).delete(key))
      ),
    });
    if (step === 'sync') throw failure(5);
    this.#disk.files.set(this.#path, next);
  }

  get(table: string, key: string): Uint8Array | undefined {
    return this.#tables.get(table)?.get(key);
  }

  range(table: string, { from, to, reverse = false }: RangeOptions): Iterable<EngineEntry> {
    const entries = [...(this.#tables.get(table) ?? [])]
      .filter(([key]) => key >= from && key < to)
      .map(([key, value]) => ({ key, value }));
    return entries.sort((left, right) => (left.key < right.key !== reverse ? -1 : 1));
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
  readonly #engines: SimulatedEngine[] = [];
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
      this.#engines.push(engine);
      return engine;
    };
    this.#keeper = new Keeper({
      ...data,
      openEngine,
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
    for (const engine of this.#engines) engine.step = this.#step;
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
