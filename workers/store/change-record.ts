// The changes of one transaction, and the same as the bytes of one record of the journal: for each change the
// operation, the lengths of its three parts, and the parts.
import type { EngineTables } from './engine.ts';

const operations = ['put', 'remove', 'removeRange'] as const;
type Operation = (typeof operations)[number];
type Change = readonly [operation: Operation, table: string, key: string, last: Uint8Array | string];

/** An operation of one byte and three lengths of four. */
const headBytes = 13;

/** Takes changes as a transaction of the engine does. */
export class ChangeRecord implements EngineTables {
  readonly #changes: Change[] = [];
  #bytes = 0;

  put(table: string, key: string, value: Uint8Array): void {
    this.#add('put', table, key, value);
  }

  remove(table: string, key: string): void {
    this.#add('remove', table, key, '');
  }

  removeRange(table: string, from: string, to: string): void {
    this.#add('removeRange', table, from, to);
  }

  get count(): number {
    return this.#changes.length;
  }

  /** Of `encoded`. */
  get bytes(): number {
    return this.#bytes;
  }

  applyTo(tables: EngineTables): void {
    for (const [operation, table, key, last] of this.#changes) {
      if (operation === 'put') tables.put(table, key, last as Uint8Array);
      else if (operation === 'remove') tables.remove(table, key);
      else tables.removeRange(table, key, last as string);
    }
  }

  encoded(): Uint8Array {
    const record = Buffer.allocUnsafe(this.#bytes);
    let at = 0;
    for (const [operation, ...parts] of this.#changes) {
      record.writeUInt8(operations.indexOf(operation), at);
      let head = at + 1;
      at += headBytes;
      for (const part of parts) {
        const length = lengthOf(part);
        record.writeUInt32LE(length, head);
        if (typeof part === 'string') record.write(part, at);
        else record.set(part, at);
        head += 4;
        at += length;
      }
    }
    return record;
  }

  #add(...change: Change): void {
    const [, ...parts] = change;
    this.#changes.push(change);
    this.#bytes += parts.reduce((sum, part) => sum + lengthOf(part), headBytes);
  }
}

/** Applies the changes of an encoded record. Its checksum was right, so it is one that `encoded` has made. */
export function applyRecord(record: Uint8Array, tables: EngineTables): void {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength);
  for (let at = 0; at < bytes.byteLength;) {
    const operation = operations[bytes.readUInt8(at)];
    const lengths = [1, 5, 9].map((place) => bytes.readUInt32LE(at + place));
    at += headBytes;
    const [table = '', key = '', last = Buffer.alloc(0)] = lengths.map((length, part) => {
      const slice = bytes.subarray(at, (at += length));
      return part < 2 ? slice.toString() : slice;
    }) as [string?, string?, Buffer?];
    if (operation === 'put') tables.put(table, key, last);
    else if (operation === 'remove') tables.remove(table, key);
    else tables.removeRange(table, key, last.toString());
  }
}

const lengthOf = (part: string | Uint8Array): number =>
  typeof part === 'string' ? Buffer.byteLength(part) : part.byteLength;
