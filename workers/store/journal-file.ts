// The file of the journal: records one behind the other, each with a number one higher than that of the record before
// and a checksum. The file has its full length from the start and is written over from its beginning again, because a
// sync of a file whose length and blocks stay the same is one write of the disk, where a file that grows needs two.
import {
  chmodSync,
  closeSync,
  fdatasyncSync,
  fstatSync,
  openSync,
  readSync,
  statSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';

export interface FoundRecords {
  /** In order, up to the first that is not whole. */
  readonly records: readonly Uint8Array[];
  /**
   * Whole records behind one that is not: that one was damaged after it was written. Zero where the last one was cut
   * short, which nobody was told of.
   */
  readonly behindDamage: number;
}

export interface Journal {
  /** Bytes that a record may have where the journal is empty. */
  readonly mostBytes: number;
  /** False where the file was not there in its full length before it was opened. */
  readonly wasWhole: boolean;
  /** The records behind number `after`. */
  read(after: number): FoundRecords;
  fits(bytes: number): boolean;
  /** On disk when it returns. Throws what the disk says; then nobody knows whether the record is there. */
  append(number: number, record: Uint8Array): void;
  /** All records are in the engine: the next one is written at the beginning. */
  rewind(): void;
  /** False when the file was removed or replaced. */
  inPlace(): boolean;
  close(): void;
}

const journalBytes = 4 * 1024 * 1024;
const fileMode = 0o600;
/** Of the file system, in sizes of the journal: with less than this, the room is left to the engine. */
const leastFree = 6;
/** What stands before each record: length, number, checksum. */
const head = { length: 0, number: 4, checksum: 12, bytes: 16 } as const;

class JournalFile implements Journal {
  readonly mostBytes: number;
  readonly wasWhole: boolean;
  readonly #path: string;
  readonly #file: number;
  readonly #inode: number;
  readonly #identity: number;
  /** The file as it is, or is about to be. */
  readonly #buffer: Buffer;
  #at = 0;

  constructor(path: string, id: string, bytes: number, wasWhole: boolean) {
    this.mostBytes = bytes - head.bytes;
    this.wasWhole = wasWhole;
    this.#path = path;
    this.#buffer = Buffer.allocUnsafeSlow(bytes);
    this.#identity = crc32(id);
    this.#file = openSync(path, 'r+');
    this.#inode = fstatSync(this.#file).ino;
  }

  read(after: number): FoundRecords {
    const length = readSync(this.#file, this.#buffer, 0, this.#buffer.length, 0);
    const { records, end } = this.#wholeRecords(after, 0, length);
    const next = this.#find(after + records.length + 2, end, length);
    const behindDamage = next === -1 ? 0 : this.#wholeRecords(after + records.length + 1, next, length).records.length;
    return { records, behindDamage };
  }

  #wholeRecords(after: number, from: number, length: number): { records: Uint8Array[]; end: number } {
    const records: Uint8Array[] = [];
    let at = from;
    for (;;) {
      const end = this.#endOf(at, after + records.length + 1, length);
      if (end === undefined) return { records, end: at };
      records.push(Uint8Array.from(this.#buffer.subarray(at + head.bytes, end)));
      at = end;
    }
  }

  /** Undefined where no whole record of that number begins. */
  #endOf(at: number, number: number, length: number): number | undefined {
    if (at + head.bytes > length || this.#buffer.readDoubleLE(at + head.number) !== number) return undefined;
    const end = at + head.bytes + this.#buffer.readUInt32LE(at + head.length);
    return end <= length && this.#buffer.readUInt32LE(at + head.checksum) === this.#checksum(at, end) ? end : undefined;
  }

  /** Where the whole record of that number begins, or -1. */
  #find(number: number, from: number, length: number): number {
    const pattern = Buffer.alloc(8);
    pattern.writeDoubleLE(number);
    for (let found = from; (found = this.#buffer.indexOf(pattern, found)) !== -1; found += 1) {
      const at = found - head.number;
      if (at >= from && this.#endOf(at, number, length) !== undefined) return at;
    }
    return -1;
  }

  fits(bytes: number): boolean {
    return this.#at + head.bytes + bytes <= this.#buffer.length;
  }

  append(number: number, record: Uint8Array): void {
    const at = this.#at;
    const end = at + head.bytes + record.byteLength;
    this.#buffer.writeUInt32LE(record.byteLength, at + head.length);
    this.#buffer.writeDoubleLE(number, at + head.number);
    this.#buffer.set(record, at + head.bytes);
    this.#buffer.writeUInt32LE(this.#checksum(at, end), at + head.checksum);
    for (let from = at; from < end;) from += writeSync(this.#file, this.#buffer, from, end - from, from);
    fdatasyncSync(this.#file);
    this.#at = end;
  }

  rewind(): void {
    this.#at = 0;
  }

  inPlace(): boolean {
    return statSync(this.#path, { throwIfNoEntry: false })?.ino === this.#inode;
  }

  close(): void {
    closeSync(this.#file);
  }

  #checksum(at: number, end: number): number {
    return crc32(
      this.#buffer.subarray(at + head.bytes, end),
      crc32(this.#buffer.subarray(at, at + head.checksum), this.#identity),
    );
  }
}

/**
 * Undefined where there is no room for a journal: the engine then does without. `id` is that of the store, so that the
 * records of another one are not taken for its own.
 */
export function openJournal(path: string, id: string, bytes = journalBytes): Journal | undefined {
  const missing = bytes - (statSync(path, { throwIfNoEntry: false })?.size ?? 0);
  if (missing > 0 && !lengthen(path, missing, bytes)) return undefined;
  return new JournalFile(path, id, bytes, missing <= 0);
}

/** False where it cannot have its full length: then it is not used. */
function lengthen(path: string, missing: number, bytes: number): boolean {
  const { bavail, bsize } = statfsSync(dirname(path));
  if (bavail * bsize < leastFree * bytes) return false;
  const file = openSync(path, 'a', fileMode);
  try {
    chmodSync(path, fileMode);
    const zeros = Buffer.alloc(missing);
    for (let from = 0; from < zeros.length;) from += writeSync(file, zeros, from);
    fdatasyncSync(file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false;
    throw error;
  } finally {
    closeSync(file);
  }
}
