// One log on disk: a file and the older ones it was rotated to, each a whole number of lines. It trusts nothing it
// finds: the folder may be gone, the file replaced or cut by someone else, its last line broken off by a crash.
import { constants } from 'node:fs';
import { type FileHandle, chmod, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { LineTarget } from './line-writer.ts';

/** No following of links; and no waiting, should a pipe stand in the file's place. */
const openFlags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const fileMode = 0o600;
const folderMode = 0o700;
const newline = 0x0a;

export interface LogFileOptions {
  readonly path: string;
  readonly maxBytes: number;
  /** In all: with 1 there is no older file. */
  readonly maxFiles: number;
}

interface OpenFile {
  readonly handle: FileHandle;
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

  constructor(options: LogFileOptions) {
    this.#options = options;
  }

  async write(chunk: Buffer, offset: number): Promise<number> {
    try {
      return await this.#write(chunk, offset);
    } catch (error) {
      // Whatever it was, the next attempt begins with a fresh look at the disk.
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.handle.close();
  }

  async #write(chunk: Buffer, offset: number): Promise<number> {
    let file = await this.#present();
    if (offset === 0 && file.size > 0 && file.size + chunk.length > this.#options.maxBytes) {
      await this.#rotate();
      file = await this.#present();
    }
    // The rest of a line belongs behind its beginning; where that is gone, the line is begun again.
    const behindItsBeginning = offset > 0 && file.size > 0 && file.inode === this.#begunIn;
    const from = behindItsBeginning || offset === 0 ? offset : chunk.lastIndexOf(newline, offset - 1) + 1;
    if (file.broken && !behindItsBeginning) file.size += (await file.handle.write('\n')).bytesWritten;
    file.broken = false;
    this.#begunIn = file.inode;
    const { bytesWritten } = await file.handle.write(chunk, from);
    file.size += bytesWritten;
    return from + bytesWritten - offset;
  }

  /** The open file, as long as it is still the one that its name leads to. */
  async #present(): Promise<OpenFile> {
    const { path } = this.#options;
    if (this.#file !== undefined) {
      const found = await stat(path).catch(absent);
      if (found?.ino === this.#file.inode) {
        this.#file.size = found.size;
        return this.#file;
      }
      await this.close();
    }
    this.#file = await openLog(path).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      await makeFolder(dirname(path));
      return openLog(path);
    });
    if (!this.#tidied) await this.#tidy();
    return this.#file;
  }

  /** From the oldest on, so that a failure in between loses nothing and the next attempt goes on where this one ended. */
  async #rotate(): Promise<void> {
    await this.close();
    const { maxFiles } = this.#options;
    if (maxFiles === 1) {
      await rm(this.#path(0), { force: true });
      return;
    }
    for (let age = maxFiles - 1; age >= 1; age -= 1) await rename(this.#path(age - 1), this.#path(age)).catch(absent);
  }

  /** Files of a time when more were kept. */
  async #tidy(): Promise<void> {
    const { path, maxFiles } = this.#options;
    const prefix = `${basename(path)}.`;
    for (const name of await readdir(dirname(path))) {
      const age = name.startsWith(prefix) ? name.slice(prefix.length) : '';
      if (/^[1-9]\d*$/.test(age) && Number(age) >= maxFiles) await rm(join(dirname(path), name), { force: true });
    }
    this.#tidied = true;
  }

  #path(age: number): string {
    return age === 0 ? this.#options.path : `${this.#options.path}.${String(age)}`;
  }
}

async function openLog(path: string): Promise<OpenFile> {
  const handle = await open(path, openFlags, fileMode);
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw new Error(`${path} is not a file`);
    if ((found.mode & 0o077) !== 0) await handle.chmod(fileMode);
    return { handle, inode: found.ino, size: found.size, broken: found.size > 0 && !(await endsWithLine(handle, found.size)) };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function endsWithLine(handle: FileHandle, size: number): Promise<boolean> {
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] === newline;
}

/** The mode is set once more: it must not depend on the umask of the moment, which listening on a socket changes. */
async function makeFolder(folder: string): Promise<void> {
  const made = await mkdir(folder, { recursive: true, mode: folderMode });
  if (made !== undefined) await chmod(folder, folderMode);
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
  return undefined;
}
