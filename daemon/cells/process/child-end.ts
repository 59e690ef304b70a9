// Why a cell's process ended, read from its exit and from what it wrote last.
import { type ChildExit, ranOutOfMemory } from '../../isolates/child-exit.ts';
import type { CellEnd } from '../cell.ts';

export function childEnd(exit: ChildExit, lastWritten: string): CellEnd {
  const { code, signal } = exit;
  const tail = lastWritten.trim();
  const told = tail === '' ? {} : { stack: tail };
  if (ranOutOfMemory(exit, tail)) {
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
