// What the end of a child process means. V8 tells of running out of memory in what it writes last and nowhere else.

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const outOfMemory = /out of memory|invalid size error/i;
/** How V8 ends a process, by version and platform. */
const aborts: readonly string[] = ['SIGABRT', 'SIGTRAP', 'SIGILL'];
/** Some systems tell an abort as an exit code, shells as 128 and the signal's number. */
const abortCodes: readonly number[] = [133, 134];

export const ranOutOfMemory = ({ code, signal }: ChildExit, lastWritten: string): boolean =>
  outOfMemory.test(lastWritten) && (aborts.includes(signal ?? '') || abortCodes.includes(code ?? 0));
