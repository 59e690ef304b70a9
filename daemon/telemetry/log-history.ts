// The lines of a log on disk from the newest to the oldest, through the file and the older ones it was rotated to. It
// reads a piece a turn, so that nobody waits for it, and trusts nothing that it finds.
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';

const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const pieceBytes = 64 * 1024;
const longestLine = 1024 * 1024;
const newline = 0x0a;

/** `paths` from the newest file to the oldest; those that are not there are left out. */
export async function* linesBackwards(paths: readonly string[]): AsyncGenerator<string> {
  // Opened at once: a rotation meanwhile moves names, and no lines.
  const files = paths.flatMap(opened);
  try {
    for (const file of files) yield* linesOf(file);
  } finally {
    for (const { descriptor } of files) closeSync(descriptor);
  }
}

async function* linesOf({ descriptor, size }: OpenFile): AsyncGenerator<string> {
  /** The end of a line whose beginning is in the piece before. */
  let broken = Buffer.alloc(0);
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - pieceBytes);
    const piece = Buffer.alloc(end - start);
    const count = readSync(descriptor, piece, 0, piece.length, start);
    end = start;
    const data = Buffer.concat([piece.subarray(0, count), broken]);
    const first = start === 0 ? 0 : data.indexOf(newline) + 1;
    // Without an end of a line in it, all of it is the end of one.
    const isInside = start > 0 && first === 0;
    broken = isInside ? data : Buffer.from(data.subarray(0, Math.max(0, first - 1)));
    if (broken.length > longestLine) broken = Buffer.alloc(0);
    if (!isInside) for (const json of data.toString('utf8', first).split('\n').reverse()) if (json !== '') yield json;
    await nextTurn();
  }
}

interface OpenFile {
  readonly descriptor: number;
  readonly size: number;
}

function opened(path: string): OpenFile[] {
  let descriptor: number;
  try {
    descriptor = openSync(path, openFlags);
  } catch {
    // It is not there, is a link, or may not be read: what is in it is not told.
    return [];
  }
  const found = fstatSync(descriptor);
  if (found.isFile()) return [{ descriptor, size: found.size }];
  closeSync(descriptor);
  return [];
}
