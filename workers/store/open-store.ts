// Opens the two files of the store in such a way that what is damaged is found before it can end the process, put aside
// under another name, and told; and that a store of a newer version is not touched.
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Repair, StoreFault } from '../../protocol/store/messages.ts';
import { checkInProcess } from './check-process.ts';
import { lengthen, lookAtFile } from './data-file.ts';
import type { StoreEngine } from './engine.ts';
import type { Journal } from './journal-file.ts';
import {
  JournaledEngine,
  type LostRecords,
  type TakenJournal,
  markOf,
  putMarkAtStart,
  takeJournal,
} from './journaled-engine.ts';
import { type Format, type Migration, formatVersion, migrations, readFormat, writeFormat } from './format.ts';

export interface OpenOptions {
  readonly folder: string;
  readonly madeBy: string;
  /** There is a reason to believe that the file is damaged. */
  readonly suspect?: boolean;
  readonly openEngine: (path: string, options: { readonly sync: boolean }) => StoreEngine;
  /** Undefined where there is no room for a journal. Without this option there is none. */
  readonly openJournal?: (path: string, id: string) => Journal | undefined;
  readonly now?: () => Date;
  readonly version?: number;
  readonly migrations?: ReadonlyMap<number, Migration>;
}

export interface OpenedStore {
  readonly kept: StoreEngine;
  readonly notes: StoreEngine;
  readonly format: number;
  readonly repairs: readonly Repair[];
}

export const keptFile = 'kept.mdb';
/** What was answered as stored and is not in the file of the engine yet. */
export const journalName = 'kept.journal';
export const notesFile = 'notes.mdb';
/**
 * Is there while the file is being opened: a daemon that finds it was ended by that, or by something else in that
 * moment.
 */
const openingMark = 'opening';
/** Says in which life of the machine the notes were written: what was not synced does not outlive it. */
const notesBoot = 'notes.boot';
const keptAside = 3;

/** Not to be confused with a fault of the engine: the store is as it is, and has to stay so. */
export class UnusableStore extends Error {
  readonly fault: StoreFault;

  constructor(fault: StoreFault) {
    super(fault.message);
    this.fault = fault;
  }
}

export function openStore(options: OpenOptions): OpenedStore {
  const { folder } = options;
  const repairs: Repair[] = [];
  const isNew = !existsSync(folder);
  // Node's recursive `mkdir` says ENOENT where the file system can only be read.
  mkdirSync(dirname(folder), { recursive: true, mode: 0o700 });
  if (isNew) mkdirSync(folder, { mode: 0o700 });
  chmodSync(folder, 0o700);
  const kept = openKept(options, repairs);
  try {
    const notes = openNotes(options, repairs);
    if (isNew) syncFolder(dirname(folder));
    syncFolder(folder);
    return { kept: kept.engine, notes, format: kept.version, repairs };
  } catch (error) {
    kept.engine.close();
    throw error;
  }
}

/** After a clean end the notes are on disk, and a later life of the machine may trust them. */
export function notesAreSynced(folder: string): void {
  writeWhereRoom(join(folder, notesBoot), 'synced');
}

function openKept(options: OpenOptions, repairs: Repair[]): { readonly engine: StoreEngine; readonly version: number } {
  const { folder } = options;
  const path = join(folder, keptFile);
  const mark = join(folder, openingMark);
  const fault = faultOf(path, options.suspect === true || existsSync(mark));
  if (fault !== undefined) putAside(path, fault, options, repairs);
  writeWhereRoom(mark, String(process.pid));
  const opened = openTrusted(path, options, repairs);
  rmSync(mark, { force: true });
  return opened;
}

/** What is wrong with a file that is not opened yet. */
function faultOf(path: string, suspect: boolean): string | undefined {
  const { state, bytes } = lookAtFile(path);
  if (state === 'foreign') return 'its first page is not that of a store';
  if (state === 'none' || (state === 'good' && !suspect)) return undefined;
  if (state === 'short') lengthen(path, bytes);
  return checkInProcess(path);
}

function openTrusted(
  path: string,
  options: OpenOptions,
  repairs: Repair[],
): { readonly engine: StoreEngine; readonly version: number } {
  const { version = formatVersion, openJournal } = options;
  const engine = options.openEngine(path, { sync: true });
  let format: Format | undefined;
  try {
    format = readFormat(engine);
    markOf(engine);
  } catch (error) {
    engine.close();
    putAside(path, error instanceof Error ? error.message : String(error), options, repairs);
    return openTrusted(path, options, repairs);
  }
  let taken: TakenJournal | undefined;
  try {
    if (format !== undefined && format.version > version) throw newer(path, format, version);
    if (openJournal !== undefined)
      taken = takeJournal(engine, (id) => openJournal(join(dirname(path), journalName), id));
    if (format !== undefined && format.version < version) migrate(path, engine, format, options, repairs);
    if (taken?.lost !== undefined) tellLost(path, taken.lost, options, repairs);
    engine.transaction((tables) => {
      writeFormat(tables, { version, madeBy: options.madeBy, generation: (format?.generation ?? 0) + 1 });
      if (taken !== undefined) putMarkAtStart(tables, taken);
    });
    return {
      engine: taken?.journal === undefined ? engine : new JournaledEngine(engine, taken.journal, taken),
      version,
    };
  } catch (error) {
    taken?.journal?.close();
    engine.close();
    throw error;
  }
}

function tellLost(path: string, { why, isLeft }: LostRecords, options: OpenOptions, repairs: Repair[]): void {
  const journal = join(dirname(path), journalName);
  const copy = `${journal}.aside-${stamp(options)}`;
  if (isLeft) {
    copyFileSync(journal, copy);
    pruneAsides(dirname(path), journalName);
  }
  const [are, left] = isLeft ? ['are', ` A copy of it is ${basename(copy)}.`] : ['may be', ''];
  repairs.push({
    kind: 'journal_lost',
    message: `The newest commits of the store ${are} lost. They were in ${journal}, and ${why}.${left}`,
  });
}

function newer(path: string, { version: found, madeBy }: Format, version: number): UnusableStore {
  rmSync(join(dirname(path), openingMark), { force: true });
  const message = `The store in ${dirname(path)} has format ${String(found)}, written by Nagaya ${madeBy}; this one reads up to format ${String(version)}. Start that version, or name another state folder.`;
  return new UnusableStore({ reason: 'newer_format', message, details: { found, supported: version, madeBy } });
}

/** Nothing else writes meanwhile, so a copy of the file is a copy of the store. */
function migrate(path: string, engine: StoreEngine, from: Format, options: OpenOptions, repairs: Repair[]): void {
  const { version = formatVersion, migrations: known = migrations } = options;
  const copy = `${path}.format-${String(from.version)}-${stamp(options)}`;
  copyFileSync(path, copy);
  syncFile(copy);
  engine.transaction((tables) => {
    for (let at = from.version; at < version; at += 1) {
      const step = known.get(at);
      if (step === undefined)
        throw new UnusableStore({
          reason: 'damaged',
          message: `There is no way from format ${String(at)} of the store to format ${String(at + 1)}.`,
        });
      step(engine, tables);
    }
    writeFormat(tables, { version, madeBy: options.madeBy, generation: from.generation });
  });
  repairs.push({
    kind: 'migrated',
    message: `The store was brought from format ${String(from.version)} to ${String(version)}; a copy of before is ${basename(copy)}.`,
  });
}

function openNotes(options: OpenOptions, repairs: Repair[]): StoreEngine {
  const { folder } = options;
  const path = join(folder, notesFile);
  const bootFile = join(folder, notesBoot);
  const boot = thisBoot();
  const written = existsSync(bootFile) ? readFileSync(bootFile, 'utf8') : '';
  const isTrusted = written === 'synced' || (boot !== '' && written === boot);
  if (lookAtFile(path).state !== 'none' && (!isTrusted || lookAtFile(path).state !== 'good'))
    restartNotes(path, repairs, 'the machine was started again since they were written, or their file is damaged');
  if (written !== boot) writeWhereRoom(bootFile, boot);
  try {
    return options.openEngine(path, { sync: false });
  } catch (error) {
    restartNotes(path, repairs, error instanceof Error ? error.message : String(error));
    return options.openEngine(path, { sync: false });
  }
}

/** A disk that is full keeps no daemon from reading what is stored: without this file the next one only knows less. */
function writeWhereRoom(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

function restartNotes(path: string, repairs: Repair[], why: string): void {
  renameSync(path, `${path}.aside`);
  rmSync(`${path}-lock`, { force: true });
  repairs.push({
    kind: 'notes_restarted',
    message: `What is written without a sync (timelines, dispatch marks) starts over: ${why}.`,
  });
}

function putAside(path: string, why: string, options: OpenOptions, repairs: Repair[]): void {
  const suffix = `.aside-${stamp(options)}`;
  renameSync(path, `${path}${suffix}`);
  rmSync(`${path}-lock`, { force: true });
  const folder = dirname(path);
  const journal = join(folder, journalName);
  if (existsSync(journal)) renameSync(journal, `${journal}${suffix}`);
  pruneAsides(folder, basename(path));
  pruneAsides(folder, journalName);
  repairs.push({
    kind: 'put_aside',
    message: `The store is damaged: ${why}. It is put aside as ${path}${suffix}, and an empty one takes its place.`,
  });
}

function pruneAsides(folder: string, file: string): void {
  const asides = readdirSync(folder)
    .filter((name) => name.startsWith(`${file}.aside-`))
    .sort();
  for (const name of asides.slice(0, -keptAside)) rmSync(join(folder, name), { force: true });
}

const stamp = ({ now = () => new Date() }: OpenOptions): string => now().toISOString().replaceAll(/[:.]/g, '');

function thisBoot(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    // No /proc: then only what was synced is trusted.
    return '';
  }
}

export function syncFile(path: string): void {
  const file = openSync(path, 'r+');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

export function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
