// How far a durable queue was given to a cell: written before each batch is sent, with one short call of the system
// that is not synced. A page that is written survives the process. It says after a kill which events may have begun.
// Its place on the disk is taken before the first event is accepted and kept from then on: a disk that is full later
// does not keep the mark from being written.
import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { HostError } from '../../../protocol/errors.ts';
import type { QueuedEvent } from '../../dispatch/queued-event.ts';
import { makeFolders } from '../../files/make-folders.ts';

export interface Mark {
  /** Of the recovery since which it was written. */
  readonly generation: number;
  /** The last place of a page that a cell was given. */
  readonly upTo: number;
  /** All up to this place were done when it was written, whether that was committed or not. */
  readonly done: number;
  /** Moved events that a cell has, and as which attempt. */
  readonly moved: ReadonlyMap<number, number>;
}

const magic = 0x6e61_6761;
const head = { magic: 0, generation: 1, upTo: 2, moved: 3, done: 4, end: 5 } as const;
/** More than two batches hold. */
const mostMoved = 250;
const words = head.end + 2 * mostMoved;
const noRoom: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

export class DispatchMark {
  readonly #path: string;
  readonly #words = new Float64Array(words);
  readonly #bytes = new Uint8Array(this.#words.buffer);
  readonly #moved = new Map<number, number>();
  #file: number | undefined;
  #failed = false;
  readonly #trouble: (error: Error) => void;

  /** `trouble` comes once. */
  constructor(path: string, trouble: (error: Error) => void) {
    this.#path = path;
    this.#trouble = trouble;
  }

  static read(path: string): Mark | undefined {
    try {
      const bytes = readFileSync(path);
      const found = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + words * 8));
      const count = found[head.moved] ?? 0;
      if (found[head.magic] !== magic || !(count >= 0 && count <= mostMoved)) return undefined;
      const moved = new Map<number, number>();
      for (let at = head.end; at < head.end + 2 * count; at += 2) moved.set(found[at] ?? 0, found[at + 1] ?? 0);
      return {
        generation: found[head.generation] ?? 0,
        upTo: found[head.upTo] ?? 0,
        done: found[head.done] ?? 0,
        moved,
      };
    } catch {
      // There is none, or it cannot be read: then nothing is known to have begun.
      return undefined;
    }
  }

  begin(generation: number): void {
    this.#words[head.magic] = magic;
    this.#words[head.generation] = generation;
  }

  /** Takes its place on the disk. Returns the refusal of an event that is to be accepted where the disk is full. */
  reserve(): HostError | undefined {
    if (this.#file !== undefined || this.#failed) return undefined;
    try {
      this.#file = this.#open();
      return undefined;
    } catch (error) {
      if (noRoom.has((error as NodeJS.ErrnoException).code ?? ''))
        return new HostError('storage_full', 'The file system of the state folder has no room for another file.');
      this.#fail(error as Error);
      return undefined;
    }
  }

  /** `isMoved`: the event has left its page. */
  sent(events: readonly QueuedEvent[], isMoved: (place: number) => boolean, done: number): void {
    let stored = false;
    this.#words[head.done] = done;
    for (const { place, attempt } of events) {
      if (place === undefined) continue;
      stored = true;
      if (isMoved(place)) this.#moved.set(place, attempt);
      else if (place > (this.#words[head.upTo] ?? 0)) this.#words[head.upTo] = place;
    }
    if (stored) this.#write();
  }

  /** It has ended, or comes again as another attempt. */
  ended(place: number): void {
    if (this.#moved.size > 0) this.#moved.delete(place);
  }

  /** Nothing has begun that is not done or moved. */
  reset(): void {
    this.#moved.clear();
    this.#words[head.upTo] = 0;
    if (this.#file !== undefined) this.#write();
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #write(): void {
    let at: number = head.end;
    for (const [place, attempt] of this.#moved) {
      if (at + 2 > words) break;
      this.#words[at] = place;
      this.#words[at + 1] = attempt;
      at += 2;
    }
    this.#words[head.moved] = (at - head.end) / 2;
    try {
      this.#file ??= this.#open();
      writeSync(this.#file, this.#bytes, 0, at * 8, 0);
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #fail(error: Error): void {
    if (!this.#failed) this.#trouble(error);
    this.#failed = true;
  }

  /** What an earlier daemon wrote is replaced where it lies: a file that is made shorter first gives its place away. */
  #open(): number {
    makeFolders(dirname(this.#path));
    const file = openSync(this.#path, existsSync(this.#path) ? 'r+' : 'w', 0o600);
    try {
      writeSync(file, this.#bytes, 0, this.#bytes.length, 0);
      return file;
    } catch (error) {
      closeSync(file);
      throw error;
    }
  }
}
