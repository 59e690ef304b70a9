// What can be said of a data file of lmdb without opening it. The engine maps the file into memory: a file that is
// shorter than its own first pages say would end the whole process at the first access behind its end.
import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';

export type FileState =
  /** There is none, or it is empty: the engine makes it. */
  | 'none'
  | 'good'
  /** Pages at its end are missing. It may still be whole: the engine does not write pages that it has freed again. */
  | 'short'
  | 'foreign';

const magic = 0xbeefc0de;
/** Places in a first page, behind the page's own head. */
const head = { magic: 24, pageSize: 48, lastPage: 144, transaction: 152, bytes: 160 } as const;
const leastPage = 512;
const mostPage = 65_536;

interface Look {
  readonly state: FileState;
  /** What the file says that it has. */
  readonly bytes: number;
}

export function lookAtFile(path: string): Look {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { state: 'none', bytes: 0 };
    throw error;
  }
  try {
    return look(file);
  } finally {
    closeSync(file);
  }
}

/** Gives a short file the length that it should have; the pages that are missing read as zeros. */
export function lengthen(path: string, bytes: number): void {
  const file = openSync(path, 'r+');
  try {
    ftruncateSync(file, bytes);
  } finally {
    closeSync(file);
  }
}

function look(file: number): Look {
  const { size } = fstatSync(file);
  if (size === 0) return { state: 'none', bytes: 0 };
  const first = firstPage(file, 0);
  if (first === undefined) return { state: 'foreign', bytes: size };
  const newest =
    [first, firstPage(file, first.pageSize)].reduce((left, right) =>
      right !== undefined && left !== undefined && right.transaction > left.transaction ? right : left,
    ) ?? first;
  const bytes = (newest.lastPage + 1) * first.pageSize;
  return { state: size < bytes ? 'short' : 'good', bytes };
}

function firstPage(
  file: number,
  at: number,
): { readonly pageSize: number; readonly lastPage: number; readonly transaction: number } | undefined {
  const buffer = Buffer.alloc(head.bytes);
  if (readSync(file, buffer, 0, head.bytes, at) < head.bytes || buffer.readUInt32LE(head.magic) !== magic)
    return undefined;
  const pageSize = buffer.readUInt32LE(head.pageSize);
  if (pageSize < leastPage || pageSize > mostPage) return undefined;
  return {
    pageSize,
    lastPage: Number(buffer.readBigUInt64LE(head.lastPage)),
    transaction: Number(buffer.readBigUInt64LE(head.transaction)),
  };
}
