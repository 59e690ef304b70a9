// What a thread cell may open by a path: nothing whose reading may never end, nothing that holds the daemon's
// environment or memory, and none of the daemon's descriptors by another name.
import fs, { type PathLike, type Stats } from 'node:fs';
import { resolve } from 'node:path';
import { Denied, processIsolation } from './denial.ts';
import { isOwn } from './descriptors.ts';

/** Own references: what comes after this is replaced. */
const { statSync, fstatSync } = fs;
const realpath = fs.realpathSync.native;
const { O_NONBLOCK, O_ACCMODE } = { O_ACCMODE: 3, ...fs.constants };
const { bufferFrom, fileUrl } = { bufferFrom: Buffer.from.bind(Buffer), fileUrl: URL };

/** What is opened for: `text` is decoded as a whole in one native call that nothing can end. */
export type Purpose = 'open' | 'whole' | 'text';

/**
 * Reading a file as text takes a multiple of its size, and nothing can end it: a cell of the usual bounds could not
 * hold more.
 */
const mostTextBytes = 256 * 1024 * 1024;

let wholeRead = false;

/** Whether what is being opened is for a function that reads all there is. */
export const isWholeRead = (): boolean => wholeRead;

/** Files are opened, or begin to be, before `act` returns. */
export function asWholeRead<Value>(act: () => Value): Value {
  wholeRead = true;
  try {
    return act();
  } finally {
    wholeRead = false;
  }
}

const terminalMajors = new Set([4, 5, 136, 137, 138, 139, 140, 141, 142, 143]);
const majorOf = (device: number): number => (device >> 8) & 0xfff;
const nullDevice = deviceOf('/dev/null', 'rdev');
const processes = deviceOf('/proc', 'dev');

function deviceOf(path: string, kind: 'dev' | 'rdev'): number | undefined {
  try {
    return statSync(path)[kind];
  } catch {
    // Another system, or the permission model keeps the cell from it anyway.
    return undefined;
  }
}

const waits = 'the thread could wait in the operating system, where nothing can end it';

export function requireHarmless(path: unknown, flags: unknown, purpose: Purpose): void {
  const stats = statsOf(path);
  if (stats === undefined) return;
  const nonBlocking = typeof flags === 'number' && (flags & O_NONBLOCK) !== 0;
  if (!stats.isFile() && !stats.isDirectory() && !nonBlocking) requireEnd(stats);
  requireOwnName(path);
  if (stats.dev === processes) requirePublic(path, flags);
  requireBound(stats, purpose);
}

/** The same for a descriptor of the plugin's own that is read as a whole. */
export function requireBoundedDescriptor(descriptor: number, purpose: Purpose): void {
  let stats: Stats;
  try {
    stats = fstatSync(descriptor);
  } catch {
    // It is not open: the function itself says so.
    return;
  }
  requireBound(stats, purpose);
}

/** A pipe or a terminal may keep its reader waiting for ever. */
function requireEnd(stats: Stats): void {
  const isTerminal = stats.isCharacterDevice() && terminalMajors.has(majorOf(stats.rdev));
  if (stats.isFIFO() || isTerminal)
    throw new Denied(`Opening a ${isTerminal ? 'terminal' : 'pipe'} by its path`, waits, processIsolation);
}

function requireBound(stats: Stats, purpose: Purpose): void {
  if (purpose === 'open') return;
  if ((stats.isCharacterDevice() && stats.rdev !== nullDevice) || stats.isBlockDevice()) {
    throw new Denied(
      'Reading a device as a whole',
      'it has no end',
      'Open it and read as many bytes as you need, or use "isolation": "process" in plugin.json.',
    );
  }
  if (purpose === 'text' && stats.size > mostTextBytes) {
    throw new Denied(
      `Reading a file of ${String(Math.ceil(stats.size / 1024 / 1024))} MiB as one text`,
      `more than ${String(Math.floor(mostTextBytes / 1024 / 1024))} MiB at once is a call that nothing can end, and takes a multiple of that from the daemon's memory`,
      'Read it as a stream or as bytes, or use "isolation": "process" in plugin.json.',
    );
  }
}

/** The files of the system's process folders that hold secrets, or whose reading does not end. */
const secretFile = /\/(?:environ|mem|auxv)$/;
const endlessFile = /^\/proc\/(?:kmsg|kcore|kpage\w+)$|\/pagemap$/;

function requirePublic(path: unknown, flags: unknown): void {
  const real = realPathOf(path);
  if (real === undefined) return;
  if (secretFile.test(real))
    throw new Denied(
      `Opening ${shown(real)}`,
      "it holds what is the daemon's own or another process's",
      'Name the environment variables that you need under "env" in plugin.json.',
    );
  if (endlessFile.test(real)) throw new Denied(`Opening ${shown(real)}`, waits, processIsolation);
  if (isWriting(flags))
    throw new Denied(
      `Writing to ${shown(real)}`,
      'it would change the daemon or the system around it',
      processIsolation,
    );
}

function isWriting(flags: unknown): boolean {
  if (typeof flags === 'number') return (flags & O_ACCMODE) !== 0;
  return typeof flags === 'string' && /[wa+]/.test(flags);
}

/** Without the numbers of processes, which mean nothing to who reads the refusal. */
const shown = (path: string): string => path.replaceAll(/\/\d+(?=\/)/g, '/…');

const descriptorName = /^\/(?:proc\/[^/]+(?:\/task\/[^/]+)?\/fd|dev\/fd)\/(\d+)$/;
const standardNames: Readonly<Record<string, string>> = { '/dev/stdin': '0', '/dev/stdout': '1', '/dev/stderr': '2' };

/** A descriptor has a path too. What is found below a folder's descriptor is judged by what it is. */
function requireOwnName(path: unknown): void {
  const text = textOf(path);
  if (text === undefined || (!text.includes('/fd/') && !text.includes('/dev/std'))) return;
  const full = resolve(text);
  const number = standardNames[full] ?? descriptorName.exec(full)?.[1];
  if (number === undefined || isOwn(Number(number))) return;
  const remedy =
    number === '1' || number === '2'
      ? "Write to process.stdout or process.stderr, which is the plugin's log."
      : processIsolation;
  throw new Denied(
    `Opening descriptor ${number} by its path`,
    "the plugin did not open it, so that it is the daemon's or a neighbour's",
    remedy,
  );
}

function textOf(path: unknown): string | undefined {
  if (typeof path === 'string') return path;
  if (ArrayBuffer.isView(path)) return bufferFrom(path.buffer, path.byteOffset, path.byteLength).toString('latin1');
  return path instanceof fileUrl ? path.pathname : undefined;
}

function statsOf(path: unknown): Stats | undefined {
  try {
    return statSync(path as PathLike, { throwIfNoEntry: false });
  } catch {
    // Whatever is wrong with the path, the function itself says it.
    return undefined;
  }
}

function realPathOf(path: unknown): string | undefined {
  try {
    return realpath(path as PathLike, 'utf8');
  } catch {
    // It has gone meanwhile.
    return undefined;
  }
}
