// One log on disk: a file and the older ones it was rotated to, each a whole number of lines. It trusts nothing it
// finds: the folder may be gone, the file replaced or cut by someone else, its last line broken off by a crash. It is
// written by the host's own thread, a bounded piece a turn: libuv's pool of threads may be filled by a plugin. A disk
// that is slow gets only a small share of the host's time.
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  openSync,
  readSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { makeFolders } from '../files/make-folders.ts';
import type { LineTarget } from './line-writer.ts';

/** No following of links; and no waiting, should a pipe stand in the file's place. */
const openFlags =
  constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const fileMode = 0o600;
const folderMode = 0o700;
const newline = 0x0a;
/** A piece that takes longer than this is the fault of a slow disk. */
const slowMs = 20;
/** After such a piece the disk is left alone for so many times as long as it took. */
const restFactor = 19;
const longestRestMs = 10_000;

export interface LogFileOptions {
  readonly path: string;
  readonly maxBytes: number;
  /** In all: with 1 there is no older file. */
  readonly maxFiles: number;
}

interface OpenFile {
  readonly descriptor: number;
  readonly inode: number;
  size: number;
  /** It ends in the middle of a line. */
  broken: boolean;
}

export class LogFile implements LineTarget {
  readonly #options: LogFileOptions;
  #file: OpenFile | undefined;
  /** Where the chunk that is being written has begun. */
  #begunIn: number | undefined;
  #tidied = false;
  #tookMs = 0;
  #closed = false;

  constructor(options: LogFileOptions) {
    this.#options = options;
  }

  async write(chunk: Buffer, offset: number): Promise<number> {
    await this.#rest();
    if (this.#closed) return 0;
    const beganMs = performance.now();
    try {
      return this.#write(chunk, offset);
    } catch (error) {
      // Whatever it was, the next attempt begins with a fresh look at the disk.
      this.#letGo();
      throw error;
    } finally {
      this.#tookMs = performance.now() - beganMs;
    }
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#letGo();
    return Promise.resolve();
  }

  /** At least to the next turn, so that nobody who logs waits for the disk. */
  async #rest(): Promise<void> {
    const tookMs = this.#tookMs;
    this.#tookMs = 0;
    await new Promise<void>((resolve) => {
      if (tookMs > slowMs) setTimeout(resolve, Math.min(longestRestMs, tookMs * restFactor)).unref();
      else setImmediate(resolve);
    });
  }

  #letGo(): void {
    const file = this.#file;
    this.#file = undefined;
    if (file !== undefined) closeSync(file.descriptor);
  }

  #write(chunk: Buffer, offset: number): number {
    let file = this.#present();
    if (offset === 0 && file.size > 0 && file.size + chunk.length > this.#options.maxBytes) {
      this.#rotate();
      file = this.#present();
    }
    // The rest of a line belongs behind its beginning; where that is gone, the line is begun again.
    const behindItsBeginning = offset > 0 && file.size > 0 && file.inode === this.#begunIn;
    const from = behindItsBeginning || offset === 0 ? offset : chunk.lastIndexOf(newline, offset - 1) + 1;
    if (file.broken && !behindItsBeginning) file.size += writeSync(file.descriptor, '\n');
    file.broken = false;
    this.#begunIn = file.inode;
    const bytesWritten = writeSync(file.descriptor, chunk, from);
    file.size += bytesWritten;
    return from + bytesWritten - offset;
  }

  /** The open file, as long as it is still the one that its name leads to. */
  #present(): OpenFile {
    const { path } = this.#options;
    if (this.#file !== undefined) {
      const found = statSync(path, { throwIfNoEntry: false });
      if (found?.ino === this.#file.inode) {
        this.#file.size = found.size;
        return this.#file;
      }
      this.#letGo();
    }
    this.#file = openPresent(path);
    if (!this.#tidied) this.#tidy();
    return this.#file;
  }

  /**
   * From the oldest on, so that a failure in between loses nothing and the next attempt goes on where this one ended.
   */
  #rotate(): void {
    this.#letGo();
    const { maxFiles } = this.#options;
    if (maxFiles === 1) {
      rmSync(this.#path(0), { force: true });
      return;
    }
    for (let age = maxFiles - 1; age >= 1; age -= 1)
      if (statSync(this.#path(age - 1), { throwIfNoEntry: false }) !== undefined)
        renameSync(this.#path(age - 1), this.#path(age));
  }

  /** Files of a time when more were kept. */
  #tidy(): void {
    const { path, maxFiles } = this.#options;
    const prefix = `${basename(path)}.`;
    for (const name of readdirSync(dirname(path))) {
      const age = name.startsWith(prefix) ? name.slice(prefix.length) : '';
      if (/^[1-9]\d*$/.test(age) && Number(age) >= maxFiles) rmSync(join(dirname(path), name), { force: true });
    }
    this.#tidied = true;
  }

  #path(age: number): string {
    return age === 0 ? this.#options.path : `${this.#options.path}.${String(age)}`;
  }
}

function openPresent(path: string): OpenFile {
  try {
    return openLog(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    makeFolder(dirname(path));
    return openLog(path);
  }
}

function openLog(path: string): OpenFile {
  const descriptor = openSync(path, openFlags, fileMode);
  try {
    const found = fstatSync(descriptor);
    if (!found.isFile()) throw new Error(`${path} is not a file`);
    if ((found.mode & 0o077) !== 0) fchmodSync(descriptor, fileMode);
    return {
      descriptor,
      inode: found.ino,
      size: found.size,
      broken: found.size > 0 && !endsWithLine(descriptor, found.size),
    };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

function endsWithLine(descriptor: number, size: number): boolean {
  const last = Buffer.alloc(1);
  readSync(descriptor, last, 0, 1, size - 1);
  return last[0] === newline;
}

/** The mode is set once more: it must not depend on the umask of the moment, which listening on a socket changes. */
function makeFolder(folder: string): void {
  if (makeFolders(folder, folderMode)) chmodSync(folder, folderMode);
}
