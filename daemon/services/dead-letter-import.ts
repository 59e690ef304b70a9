// Reads the file in which an earlier version kept the dead letters of one service: line by line and within a bound, so
// that whatever is whole in it is had, also of one that somebody has torn or forged. It is imported into the store
// once.
import { closeSync, constants, existsSync, fstatSync, openSync, readSync, renameSync, rmSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { type DeadLetterWithEvent, deadLetterWithEvent } from '../../protocol/dead-letter.ts';

const format = 'nagaya.dead-letters';
const version = 1;
const newline = 0x0a;
/** Read at once, and parsed before the host takes its next turn. */
const readBytes = 256 * 1024;

export interface StoredLetter {
  readonly letter: DeadLetterWithEvent;
  readonly line: string;
}

export interface FoundLetters {
  readonly letters: readonly StoredLetter[];
  /** Why the file is not what was written; what was whole in it is among the letters all the same. */
  readonly fault?: string;
}

export interface Expected {
  readonly pluginId: string;
  readonly maxBytes: number;
}

/** What is in the file; nothing where there is none, as for every plugin that never had one. */
export async function findOldLetters(path: string, expected: Expected): Promise<FoundLetters> {
  if (!existsSync(path)) return { letters: [] };
  let file: number | undefined;
  try {
    // Neither following a link nor waiting, should a pipe stand there. Without libuv's pool, which another plugin may
    // have filled.
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    return await readLetters(file, expected);
  } catch (error) {
    return { letters: [], fault: `cannot be read (${(error as NodeJS.ErrnoException).code ?? 'an unknown error'})` };
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/**
 * The letters are in the store: the file goes, and one that was not whole is put aside. Throws what the file system
 * refuses.
 */
export function doneWithOldLetters(path: string, { fault }: FoundLetters): void {
  if (fault === undefined) rmSync(path);
  else renameSync(path, `${path}.aside`);
}

async function readLetters(file: number, expected: Expected): Promise<FoundLetters> {
  const found = fstatSync(file);
  if (!found.isFile()) return { letters: [], fault: 'is not a regular file' };
  if (found.size > expected.maxBytes)
    return { letters: [], fault: `is larger than ${String(expected.maxBytes)} bytes` };
  const letters: StoredLetter[] = [];
  let head: Head | undefined;
  let broken = 0;
  const ended = await eachLine(file, expected.maxBytes, (bytes) => {
    const value = parsed(bytes);
    if (head === undefined) {
      head = headOf(value);
      return head.letters !== undefined && head.plugin === expected.pluginId;
    }
    const checked = deadLetterWithEvent.safeParse(value);
    if (checked.success) letters.push({ letter: checked.data, line: bytes.toString() });
    else broken += 1;
    return true;
  });
  const fault = faultOf(head, expected.pluginId, broken, letters.length, ended);
  return fault === undefined ? { letters } : { letters, fault };
}

interface Head {
  readonly version?: number;
  readonly plugin?: string;
  readonly letters?: number;
}

function headOf(value: unknown): Head {
  if (typeof value !== 'object' || value === null || !('format' in value) || value.format !== format) return {};
  const { version: made, plugin, letters } = value as Readonly<Record<string, unknown>>;
  if (typeof made !== 'number') return {};
  if (made !== version || typeof plugin !== 'string' || typeof letters !== 'number') return { version: made };
  return { version: made, plugin, letters };
}

function faultOf(
  head: Head | undefined,
  pluginId: string,
  broken: number,
  whole: number,
  ended: boolean,
): string | undefined {
  if (head === undefined) return 'is empty or its first line is torn';
  if (head.version === undefined) return "is not one of this daemon's";
  if (head.version !== version)
    return `is of version ${String(head.version)}, and this daemon reads version ${String(version)}`;
  if (head.plugin !== pluginId) return 'belongs to another plugin';
  if (broken > 0 || whole !== head.letters || !ended)
    return `is torn: ${String(whole)} of ${String(head.letters ?? 0)} letters are whole`;
  return undefined;
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // Torn or not text: it counts as broken.
    return undefined;
  }
}

/** True when the last line was whole; `take` answers whether to go on. */
async function eachLine(file: number, maxBytes: number, take: (line: Buffer) => boolean): Promise<boolean> {
  let rest: Buffer[] = [];
  for (let total = 0; total <= maxBytes;) {
    const buffer = Buffer.allocUnsafe(readBytes);
    const bytesRead = readSync(file, buffer, 0, readBytes, null);
    if (bytesRead === 0) break;
    total += bytesRead;
    let chunk = buffer.subarray(0, bytesRead);
    for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline)) {
      const line = Buffer.concat([...rest, chunk.subarray(0, at)]);
      rest = [];
      chunk = chunk.subarray(at + 1);
      if (!take(line)) return true;
    }
    if (chunk.length > 0) rest.push(chunk);
    await turn();
  }
  // What has no end may still be whole but for it.
  if (rest.length > 0) take(Buffer.concat(rest));
  return rest.length === 0;
}
