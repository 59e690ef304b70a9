// Why a child process ended, read from its exit and from what it wrote last: V8 tells of running out of memory there
// and nowhere else.
import type { CellEnd } from '../cell.ts';

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const outOfMemory = /out of memory|invalid size error/i;
/** How V8 ends a process, by version and platform. */
const aborts: readonly string[] = ['SIGABRT', 'SIGTRAP', 'SIGILL'];
/** Some systems tell an abort as an exit code, shells as 128 and the signal's number. */
const abortCodes: readonly number[] = [133, 134];

export function childEnd({ code, signal }: ChildExit, lastWritten: string): CellEnd {
  const tail = lastWritten.trim();
  const told = tail === '' ? {} : { stack: tail };
  if (outOfMemory.test(tail) && (aborts.includes(signal ?? '') || abortCodes.includes(code ?? 0))) {
    return {
      reason: 'out_of_memory',
      error: { name: 'OutOfMemory', message: "the cell's process ran out of its heap (limits.heapMb)", ...told },
      exitCode: code,
    };
  }
  if (signal !== null)
    return {
      reason: 'signal',
      error: {
        name: 'CellEnded',
        message: `the cell's process was ended by ${signal}${signalHints[signal] ?? ''}`,
        code: signal,
        ...told,
      },
      exitCode: null,
    };
  return {
    reason: 'ended',
    error: { name: 'CellEnded', message: `the cell's process ended with exit code ${String(code)}`, ...told },
    exitCode: code,
  };
}

const signalHints: Readonly<Partial<Record<NodeJS.Signals, string>>> = {
  SIGSEGV: ': native code crashed',
  SIGBUS: ': native code crashed',
  SIGABRT: ': native code gave up',
  SIGKILL: ', and not by the daemon: by somebody else, or by the system for want of memory',
};
