// Which processes are cells of which daemon, a small file each under the state folder: a daemon that was killed cannot
// clean up, and the next one must know what is its own to end. The watchdog in each cell is the first line of defence,
// and this the second.
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { makeFolders } from '../../files/make-folders.ts';
import { type ProcessIdentity, identityOf, thisProcess } from '../../isolates/process-identity.ts';
import type { CellRecorder } from './process-cell.ts';

const identity = z.strictObject({ pid: z.int().min(2), start: z.string().max(200) });
export const cellRecord = z.strictObject({ cell: identity, daemon: identity, name: z.string().max(200) });
export type CellRecord = z.output<typeof cellRecord>;

export const recordsFolder = (stateFolder: string): string => join(stateFolder, 'cells');

export class CellRecords implements CellRecorder {
  readonly #folder: string;
  readonly #daemon: ProcessIdentity = thisProcess();
  readonly #troubled: (error: Error) => void;
  /** What is being written: it must be there before it can be removed. */
  readonly #pending = new Map<number, Promise<void>>();

  constructor(stateFolder: string, troubled: (error: Error) => void) {
    this.#folder = recordsFolder(stateFolder);
    this.#troubled = troubled;
  }

  add(pid: number, name: string): void {
    const record: CellRecord = { cell: identityOf(pid), daemon: this.#daemon, name };
    this.#pending.set(pid, this.#write(pid, record));
  }

  remove(pid: number): void {
    const written = this.#pending.get(pid) ?? Promise.resolve();
    this.#pending.delete(pid);
    void written.then(() => rm(this.#path(pid), { force: true })).catch((error: unknown) => this.#tell(error));
  }

  async #write(pid: number, record: CellRecord): Promise<void> {
    try {
      makeFolders(this.#folder);
      await writeFile(this.#path(pid), JSON.stringify(record), { mode: 0o600 });
    } catch (error) {
      this.#tell(error);
    }
  }

  #path(pid: number): string {
    return join(this.#folder, `${String(pid)}.json`);
  }

  #tell(error: unknown): void {
    this.#troubled(error instanceof Error ? error : new Error(String(error)));
  }
}
