// Of the stack that a cell answers with, the plugin's own frames, with files named as the plugin's author knows them.
// Node's frames, the question's own and what called the plugin say nothing to an author and are left out.
import { posix } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Position } from '../../protocol/cell/inspection.ts';
import { cellEntry } from './entries.ts';
import type { StackFrame } from './whereabouts.ts';
import { isCount } from './untrusted-values.ts';

/** As the inspector's protocol has it; both places are counted from 0. */
interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
  readonly columnNumber: number;
}

/** One of the plugin's, by the URL of its script and counted from 1. */
export interface OwnFrame {
  readonly name: string;
  readonly url: string;
  readonly line: number;
  readonly column: number;
}

const maxFrames = 20;
const maxText = 500;
const ownCode = new URL('..', cellEntry('service-cell')).href;
const folderUrl = (folder: string): string => `${pathToFileURL(folder).href}/`;

function isCallFrame(value: unknown): value is CallFrame {
  if (typeof value !== 'object' || value === null) return false;
  const { functionName, url, lineNumber, columnNumber } = value as Partial<Record<keyof CallFrame, unknown>>;
  return typeof functionName === 'string' && typeof url === 'string' && isCount(lineNumber) && isCount(columnNumber);
}

/** Nothing where the answer holds no stack; an empty list where none of it is the plugin's. */
export function ownFramesOf(answer: unknown, folder: string): OwnFrame[] | undefined {
  const { exceptionDetails } = (answer ?? {}) as { exceptionDetails?: { stackTrace?: { callFrames?: unknown } } };
  const callFrames = exceptionDetails?.stackTrace?.callFrames;
  if (!Array.isArray(callFrames)) return undefined;
  const frames = callFrames.slice(1).filter(isCallFrame);
  const base = folderUrl(folder);
  const isOwn = (at: number): boolean => {
    const url = frames[at]?.url ?? ownCode;
    if (url.startsWith('file:')) return url.startsWith(base) && !url.startsWith(ownCode);
    // Code without a file (eval, WebAssembly) belongs to the file that called it.
    return (
      !url.startsWith('node:') && isOwn(frames.findIndex((frame, later) => later > at && frame.url.startsWith('file:')))
    );
  };
  return frames.flatMap((frame, at) => (isOwn(at) ? [ownFrame(frame, frames[at + 1])] : [])).slice(0, maxFrames);
}

function ownFrame({ functionName, url, lineNumber, columnNumber }: CallFrame, caller: CallFrame | undefined): OwnFrame {
  // A module's own code has no name, and is called by Node alone.
  const isModule = url.startsWith('file:') && (caller === undefined || caller.url.startsWith('node:internal/modules/'));
  const name = functionName === '' ? (isModule ? '(top level)' : '(anonymous)') : functionName;
  return { name: name.slice(0, maxText), url, line: lineNumber + 1, column: columnNumber + 1 };
}

/** For the cell, which can lead places of compiled files back to their sources. */
export const positionsOf = (frames: readonly OwnFrame[]): (Position | null)[] =>
  frames.map(({ url, line, column }) => (url.startsWith('file:') ? [url, line, column] : null));

const isPosition = (value: unknown): value is Position =>
  Array.isArray(value) && value.length === 3 && typeof value[0] === 'string' && isCount(value[1]) && isCount(value[2]);

/** As they are shown: in their sources where the cell's answer tells of them, else as they were run. */
export function shownFrames(frames: readonly OwnFrame[], origins: unknown, folder: string): StackFrame[] {
  const base = folderUrl(folder);
  return frames.map((frame, at) => {
    const told: unknown = Array.isArray(origins) ? origins[at] : undefined;
    const [url, line, column]: Position =
      isPosition(told) && told[0].startsWith(base) ? told : [frame.url, frame.line, frame.column];
    return { function: frame.name, file: fileOf(url, base), line, column };
  });
}

function fileOf(url: string, base: string): string {
  if (url.startsWith(base))
    return posix.normalize(decoded(url.slice(base.length).replace(/[?#].*$/, ''))).slice(0, maxText);
  return url.startsWith('wasm:') ? '(WebAssembly)' : '(eval)';
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A plugin may name its scripts as it likes.
    return text;
  }
}
