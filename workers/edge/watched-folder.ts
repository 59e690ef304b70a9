// One folder of a files source: whether it may be watched, and what it holds. It is read in pieces and in the calling
// thread, because a plugin may have filled libuv's pool of threads.
import { type Dir, type Stats, lstatSync, opendirSync, realpathSync, statSync } from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';

export interface FoundFile {
  readonly path: string;
  readonly bytes: number;
  readonly modifiedMs: number;
}

export interface FolderRules {
  /** Of the plugin. */
  readonly home: string;
  /** What a plugin under permissions may read beside its own folder; undefined: whatever the daemon may. */
  readonly readable: readonly string[] | undefined;
}

export type FolderFault = { readonly kind: 'forbidden' | 'unreadable'; readonly message: string };

export interface OpenFolder {
  readonly path: string;
  /** Another one where the folder was deleted and made again, or something was mounted there. */
  readonly identity: string;
}

const entriesPerTurn = 256;

/** The folder that a declared path means. */
export function openFolder(declared: string, rules: FolderRules): OpenFolder | FolderFault {
  const path = resolve(rules.home, declared);
  try {
    const real = realpathSync(path);
    if (!mayWatch(real, declared, rules)) return { kind: 'forbidden', message: forbidden(declared, rules) };
    const found = statSync(real);
    if (!found.isDirectory()) return { kind: 'unreadable', message: `${declared} is no folder` };
    return { path, identity: `${String(found.dev)}:${String(found.ino)}` };
  } catch (thrown) {
    return { kind: 'unreadable', message: `${declared} cannot be read (${codeOf(thrown)})` };
  }
}

function mayWatch(real: string, declared: string, { home, readable }: FolderRules): boolean {
  if (isWithin(real, realpathSync(home))) return true;
  if (readable === undefined) return isAbsolute(declared);
  return readable.some((grant) => grant === '*' || isWithin(real, realOr(resolve(home, grant))));
}

const forbidden = (declared: string, { readable }: FolderRules): string =>
  readable === undefined
    ? `${declared} leads out of the plugin's folder; declare the folder by an absolute path`
    : `${declared} is not below the plugin's folder, and permissions.fs.read does not grant it`;

function isWithin(path: string, folder: string): boolean {
  const between = relative(folder, path);
  return between === '' || (between !== '..' && !between.startsWith('../') && !isAbsolute(between));
}

function realOr(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // Nothing lies below what does not exist.
    return path;
  }
}

/** Its files, those of folders below it not included. Links are not followed, and hidden files are left out. */
export async function* filesIn(folder: OpenFolder): AsyncGenerator<FoundFile> {
  const entries: Dir = opendirSync(folder.path, { bufferSize: entriesPerTurn });
  try {
    for (let read = 1; ; read += 1) {
      const entry = entries.readSync();
      if (entry === null) return;
      if (read % entriesPerTurn === 0) await nextTurn();
      if (entry.name.startsWith('.') || entry.isDirectory() || entry.isSymbolicLink()) continue;
      const path = join(folder.path, entry.name);
      const found = statsOf(path);
      if (found?.isFile() === true) yield { path, bytes: found.size, modifiedMs: Math.floor(found.mtimeMs) };
    }
  } finally {
    entries.closeSync();
  }
}

function statsOf(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    // It has gone meanwhile.
    return undefined;
  }
}

const codeOf = (thrown: unknown): string => (thrown as NodeJS.ErrnoException).code ?? 'unknown';
