// Backup and verify read the whole store. They do it in slices on one snapshot, so that commits go on between two
// slices.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Half, Read, ReadAnswer, StoreFault, VerifyReport } from '../../protocol/store/messages.ts';
import { type EngineEntry, type EngineSnapshot, type StoreEngine, everyKey } from './engine.ts';
import { faultOfError } from './engine-fault.ts';
import { type OpenOptions, UnusableStore, keptFile, syncFile, syncFolder } from './open-store.ts';
import { isMark } from './journaled-engine.ts';
import { unseal } from './sealed-value.ts';
import type { Halves } from './reads.ts';

type LongRead = Extract<Read, { readonly kind: 'backup' | 'verify' }>;

/** Read before the next messages are looked at. */
const sliceBytes = 4 * 1024 * 1024;
const shownDamaged = 100;
/** Behind every key that has no character beyond it. */
const next = (key: string): string => `${key}\0`;

interface Work {
  /** One slice; true when it was the last. */
  slice(): boolean;
  finish(): ReadAnswer;
  abandon(): void;
}

export class LongReads {
  readonly #options: Pick<OpenOptions, 'folder' | 'openEngine'>;
  readonly #answer: (answer: ReadAnswer) => void;
  readonly #running = new Map<number, Work>();

  constructor(options: Pick<OpenOptions, 'folder' | 'openEngine'>, answer: (answer: ReadAnswer) => void) {
    this.#options = options;
    this.#answer = answer;
  }

  begin(id: number, read: LongRead, halves: Halves): void {
    const work = read.kind === 'verify' ? verification(id, halves) : backup(id, read.path, halves.kept, this.#options);
    this.#running.set(id, work);
    setImmediate(() => this.#goOn(id));
  }

  /** The files are about to be closed under them. */
  abandon(): void {
    for (const id of [...this.#running.keys()])
      this.#end(id, { reason: 'unavailable', message: 'The store was closed, or opened again, meanwhile.' });
  }

  #goOn(id: number): void {
    const work = this.#running.get(id);
    if (work === undefined) return;
    try {
      if (!work.slice()) return void setImmediate(() => this.#goOn(id));
      this.#running.delete(id);
      this.#answer(work.finish());
    } catch (error) {
      this.#end(id, faultOfError(error, this.#options.folder));
    }
  }

  #end(id: number, fault: StoreFault): void {
    this.#running.get(id)?.abandon();
    this.#running.delete(id);
    this.#answer({ id, fault });
  }
}

/** Walks all tables of a snapshot; `take` is given each entry. */
class Walk {
  readonly #snapshot: EngineSnapshot;
  readonly #take: (table: string, entry: EngineEntry) => void;
  #tables: readonly string[];
  #from = everyKey.from;
  entries = 0;
  bytes = 0;

  constructor(engine: StoreEngine, take: (table: string, entry: EngineEntry) => void) {
    this.#snapshot = engine.snapshot();
    this.#tables = engine.tables();
    this.#take = take;
  }

  /** True at the end. */
  slice(): boolean {
    const until = this.bytes + sliceBytes;
    for (let table = this.#tables[0]; table !== undefined; table = this.#tables[0]) {
      for (const entry of this.#snapshot.range(table, { ...everyKey, from: this.#from })) {
        this.#take(table, entry);
        this.entries += 1;
        this.bytes += entry.value.byteLength;
        this.#from = next(entry.key);
        if (this.bytes >= until) return false;
      }
      this.#tables = this.#tables.slice(1);
      this.#from = everyKey.from;
    }
    return true;
  }

  done(): void {
    this.#snapshot.done();
  }
}

function verification(id: number, halves: Halves): Work {
  const damaged: { half: Half; table: string; key: string }[] = [];
  let damagedCount = 0;
  const looking = (half: Half) =>
    new Walk(halves[half], (table, { key, value }) => {
      if (unseal(key, value) !== undefined) return;
      damagedCount += 1;
      if (damaged.length < shownDamaged) damaged.push({ half, table, key });
    });
  const walks = [looking('kept'), looking('notes')];
  const done = (): void => walks.forEach((walk) => walk.done());
  return {
    slice: () => walks.every((walk) => walk.slice()),
    finish: () => {
      done();
      const report: VerifyReport = {
        entries: sum(walks, 'entries'),
        bytes: sum(walks, 'bytes'),
        damaged,
        damagedCount,
      };
      return { id, result: report };
    },
    abandon: done,
  };
}

const sum = (walks: readonly Walk[], what: 'entries' | 'bytes'): number =>
  walks.reduce((total, walk) => total + walk[what], 0);

/** Copies what is kept into a new state folder, which appears under its name only when it is whole and on disk. */
function backup(id: number, path: string, kept: StoreEngine, { openEngine }: Pick<OpenOptions, 'openEngine'>): Work {
  if (existsSync(path) && readdirSync(path).length > 0)
    throw new UnusableStore({
      reason: 'invalid',
      message: `${path} is not empty; name a folder that does not exist yet.`,
      details: { path },
    });
  const part = `${path}.part`;
  rmSync(part, { recursive: true, force: true });
  const folder = join(part, 'store');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const target = openEngine(join(folder, keptFile), { sync: false });
  let gathered: { readonly table: string; readonly key: string; readonly value: Uint8Array }[] = [];
  const walk = new Walk(kept, (table, { key, value }) => {
    if (unseal(key, value) === undefined)
      throw new UnusableStore({
        reason: 'damaged',
        message: `The value of ${key} in ${table} is not what was written.`,
        details: { table, key },
      });
    if (!isMark(table, key)) gathered.push({ table, key, value: Uint8Array.from(value) });
  });
  const close = (): void => {
    walk.done();
    target.close();
  };
  return {
    slice: () => {
      const last = walk.slice();
      target.transaction((tables) => gathered.forEach(({ table, key, value }) => tables.put(table, key, value)));
      gathered = [];
      return last;
    },
    finish: () => {
      close();
      syncFile(join(folder, keptFile));
      rmSync(join(folder, `${keptFile}-lock`), { force: true });
      renameSync(part, path);
      syncFolder(dirname(path));
      return { id, result: { entries: walk.entries, bytes: walk.bytes } };
    },
    abandon: () => {
      close();
      rmSync(part, { recursive: true, force: true });
    },
  };
}
