// Reads one small text file of somebody else's making. Whatever stands at the path (a fifo nobody writes, a device, a
// folder, a file that grows while it is read), the answer comes at once and within a bound. It is read by the calling
// thread itself, because a plugin may have filled libuv's pool of threads, in which Node reads files otherwise.
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { kindOfFile, wordingOfFileError } from './file-fault.ts';

export type BoundedText =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly missing: boolean; readonly message: string };

export interface ReadBound {
  readonly maxBytes: number;
  /** How the reader of the message may raise it. */
  readonly raisedBy?: string;
}

const refused = (message: string, missing = false): BoundedText => ({ ok: false, missing, message });

export function readBoundedText(path: string, bound: ReadBound): BoundedText {
  let file: number | undefined;
  try {
    // Looked at before it is opened, because opening a device may already do something to it.
    const before = statSync(path);
    if (!before.isFile()) return refused(`is ${kindOfFile(before)}; it must be a regular file`);
    // Not to block should a fifo have taken the file's place meanwhile.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const now = fstatSync(file);
    if (!now.isFile()) return refused(`is ${kindOfFile(now)}; it must be a regular file`);
    if (now.size > bound.maxBytes) return tooLarge(bound);
    return readText(file, now.size, bound);
  } catch (error) {
    const missing = ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
    return refused(wordingOfFileError(error), missing);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function tooLarge({ maxBytes, raisedBy }: ReadBound): BoundedText {
  return refused(
    `is larger than ${String(maxBytes)} bytes; make it smaller${raisedBy === undefined ? '' : ` or raise ${raisedBy}`}`,
  );
}

/** The size said before reading is a hint: files grow, and those of /proc say 0. */
function readText(file: number, size: number, bound: ReadBound): BoundedText {
  const chunks: Buffer[] = [];
  let total = 0;
  for (;;) {
    const chunk = Buffer.allocUnsafe(Math.min(Math.max(size - total, 4096), bound.maxBytes - total) + 1);
    const bytesRead = readSync(file, chunk, 0, chunk.length, null);
    if (bytesRead === 0) break;
    total += bytesRead;
    if (total > bound.maxBytes) return tooLarge(bound);
    chunks.push(chunk.subarray(0, bytesRead));
  }
  try {
    return { ok: true, text: new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)) };
  } catch {
    // The decoder says no more than that the bytes are not UTF-8.
    return refused('is not UTF-8 text; save it as UTF-8');
  }
}
