// Room in the engine's file before the engine writes into it. lmdb damages the memory of the process when one of its
// writes finds no space, and the daemon dies of that a little later: so none of its writes may. The file is made longer
// with zeros first, which can fail without harm; what the engine then writes lies within it.
import { closeSync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';

const blockBytes = 256 * 1024;
const leastAheadBytes = 1024 * 1024;
const mostAheadBytes = 16 * 1024 * 1024;
/** Of the file, to be ahead. */
const aheadShare = 1 / 8;

export class ReservedSpace {
  readonly #file: number;
  #to: number;

  constructor(path: string) {
    this.#file = openSync(path, 'r+');
    this.#to = fstatSync(this.#file).size;
  }

  /** Up to where the file has room. */
  get to(): number {
    return this.#to;
  }

  /** Throws the error of the file system, for want of space, where there cannot be room up to here. */
  reserve(to: number): void {
    this.#to = Math.max(this.#to, fstatSync(this.#file).size);
    if (to <= this.#to) return;
    const ahead = Math.min(mostAheadBytes, Math.max(leastAheadBytes, Math.ceil(to * aheadShare)));
    try {
      this.#lengthen(to + ahead);
    } catch {
      // Without more than is needed there may be room.
      this.#lengthen(to);
    }
  }

  close(): void {
    closeSync(this.#file);
  }

  /** All of it or nothing. */
  #lengthen(to: number): void {
    const from = this.#to;
    const zeros = Buffer.alloc(Math.min(blockBytes, to - from));
    try {
      for (let at = from; at < to;) {
        const length = Math.min(zeros.length, to - at);
        const written = writeSync(this.#file, zeros, 0, length, at);
        if (written === 0) throw Object.assign(new Error('the file system takes no more'), { code: 'ENOSPC' });
        at += written;
      }
    } catch (error) {
      ftruncateSync(this.#file, from);
      throw error;
    }
    this.#to = to;
  }
}
