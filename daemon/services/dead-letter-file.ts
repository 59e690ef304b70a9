// The dead letters of one service on disk, one letter a line behind a line that says what the file is. Writing never
// holds anybody up: changes are gathered, one write is under way at a time, and a disk that does not take them is told
// once and tried again while the letters stay in memory.
import { plural } from '../../protocol/plural.ts';
import { readdir, rename, rm } from 'node:fs/promises';
import { closeSync, constants, openSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ownFolder, removeLeftovers, writeAtomically } from '../files/atomic-file.ts';
import type { Clock, Timer } from '../time/clock.ts';
import { type FoundLetters, readLetters } from './dead-letter-text.ts';

export interface DeadLetterFileOptions {
  readonly pluginId: string;
  /** Where every plugin's dead letters are. */
  readonly folder: string;
  readonly clock: Clock;
  /** More than this is not read. */
  readonly maxBytes: number;
  /** Once when something goes wrong, and again only after it had worked in between. */
  onTrouble(message: string, error?: Error): void;
}

/** The file's lines, as they are to be now. */
export type TakeLines = () => Iterable<string>;

const gatherMs = 20;
/** Of its time, the disk is given at most a fifth to a service that loses event after event. */
const restFactor = 4;
const retryMs = [200, 30_000] as const;
/** A write that is not back by then is told: the disk hangs. */
const hangMs = 10_000;
const keptAside = 3;
/** Behind the file's own name: another plugin's name may begin alike. */
const asideForm = /^\.aside-\d{4}-\d{2}-\d{2}T\d{9}Z$/;

export class DeadLetterFile {
  readonly #options: DeadLetterFileOptions;
  readonly #path: string;
  readonly #take: TakeLines;
  #dirty = false;
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;
  #failures = 0;
  #told = false;
  #closed = false;
  /** What stands there could not be read: it is moved away before anything takes its place. */
  #inTheWay = false;

  constructor(options: DeadLetterFileOptions, take: TakeLines) {
    this.#options = options;
    this.#path = join(options.folder, `${options.pluginId}.ndjson`);
    this.#take = take;
  }

  /** What an earlier daemon left; whatever is wrong with it is told, put aside, and never fatal. */
  async read(): Promise<FoundLetters> {
    try {
      ownFolder(this.#options.folder);
      removeLeftovers(this.#path);
    } catch (error) {
      this.#trouble('the folder of dead letters cannot be used; they are kept in memory', error);
    }
    const found = await this.#readFile();
    if (found.fault !== undefined) {
      this.#inTheWay = true;
      const aside = await this.#putAside();
      const kept = found.letters.length === 0 ? '' : `; ${plural(found.letters.length, 'letter in it could be read and is kept', 'letters in it could be read and are kept')}`;
      this.#options.onTrouble(`the file of dead letters ${found.fault}${aside === undefined ? ', and cannot be put aside' : `: it is put aside as ${aside}`}${kept}`);
      if (found.letters.length > 0) this.changed();
    }
    return found;
  }

  /** The letters are others than before. Returns at once. */
  changed(): void {
    if (this.#closed) return;
    this.#dirty = true;
    this.#timer ??= this.#options.clock.after(gatherMs, () => this.#begin());
  }

  /** Writes what is not written yet, in at most this time; true when nothing was left behind. */
  async close(deadlineMs: number): Promise<boolean> {
    this.#closed = true;
    let done = false;
    const written = this.#last().then(() => {
      done = true;
    });
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.after(deadlineMs, resolve);
      void written.then(() => {
        timer.cancel();
        resolve();
      });
    });
    this.#timer?.cancel();
    this.#timer = undefined;
    return done && !this.#dirty;
  }

  async #last(): Promise<void> {
    await this.#writing;
    if (!this.#dirty) return;
    this.#begin();
    await this.#writing;
  }

  #begin(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#writing !== undefined || !this.#dirty) return;
    this.#writing = this.#write();
  }

  /** Never rejects: what goes wrong is told and tried again. */
  async #write(): Promise<void> {
    const { clock } = this.#options;
    const beganMs = clock.monotonicMs();
    const hanging = clock.after(hangMs, () => this.#trouble('dead letters are not written: the disk does not answer; they are kept in memory', undefined));
    this.#dirty = false;
    let restMs: number;
    try {
      if (this.#inTheWay && (await this.#putAside()) === undefined) throw new Error('what stands in the place of the file can be neither read nor moved');
      await writeAtomically(this.#path, this.#take());
      this.#failures = 0;
      this.#told = false;
      restMs = (clock.monotonicMs() - beganMs) * restFactor;
    } catch (error) {
      this.#dirty = true;
      this.#trouble('dead letters cannot be written; they are kept in memory and tried again', error);
      restMs = Math.min(retryMs[1], retryMs[0] * 2 ** this.#failures);
      this.#failures += 1;
    }
    hanging.cancel();
    this.#writing = undefined;
    if (this.#closed) return;
    this.#timer?.cancel();
    this.#timer = clock.after(Math.max(gatherMs, restMs), () => this.#begin());
  }

  async #readFile(): Promise<FoundLetters> {
    let file: number | undefined;
    try {
      // Neither following a link nor waiting, should a pipe stand there. Without libuv's pool, which another plugin may have
      // filled: a plugin is loaded when its letters are read.
      file = openSync(this.#path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      return await readLetters(file, this.#options);
    } catch (error) {
      const { code = 'an unknown error' } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return { letters: [] };
      return { letters: [], fault: `cannot be read (${code})` };
    } finally {
      if (file !== undefined) closeSync(file);
    }
  }

  /** Its new name, or nothing where it could not be moved. */
  async #putAside(): Promise<string | undefined> {
    const name = `${basename(this.#path)}.aside-${new Date(this.#options.clock.wallMs()).toISOString().replaceAll(/[:.]/g, '')}`;
    try {
      await rename(this.#path, join(dirname(this.#path), name));
      this.#inTheWay = false;
      await this.#forgetOldAsides().catch(keptOneMore);
      return name;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return undefined;
      // Somebody has taken it away meanwhile: nothing stands in the way any more.
      this.#inTheWay = false;
      return name;
    }
  }

  async #forgetOldAsides(): Promise<void> {
    const own = basename(this.#path);
    const asides = (await readdir(this.#options.folder)).filter((name) => name.startsWith(own) && asideForm.test(name.slice(own.length))).sort();
    for (const name of asides.slice(0, -keptAside)) await rm(join(this.#options.folder, name), { force: true });
  }

  #trouble(message: string, error: unknown): void {
    if (this.#told) return;
    this.#told = true;
    this.#options.onTrouble(message, error instanceof Error ? error : undefined);
  }
}

/** It was a folder, or may not be removed: then one more is kept. */
const keptOneMore = (): void => undefined;
