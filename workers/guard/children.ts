// Processes that a plugin starts from a thread cell: what they would inherit as standard output is the daemon's own,
// so that it becomes the plugin's log, and they have no standard input.
import childProcess, { type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { replace } from './denial.ts';

interface SpawnOptions {
  stdio?: unknown;
}

type Spawn = (this: ChildProcess, options: SpawnOptions) => unknown;

/** A stream with a number is taken for its number. */
const numberOf = (entry: unknown): unknown =>
  typeof entry === 'object' && entry !== null && 'fd' in entry && typeof entry.fd === 'number' ? entry.fd : entry;

/** By the word, or by the number of one of the daemon's first three. */
function isInherited(entry: unknown): boolean {
  const number = numberOf(entry);
  return number === 'inherit' || (typeof number === 'number' && number >= 0 && number <= 2);
}

export function shieldChildren(): void {
  // Every way to start a process goes through this one.
  const { prototype } = childProcess.ChildProcess as unknown as { prototype: { spawn: Spawn } };
  const spawn = prototype.spawn;
  const instead: Spawn = function (options) {
    const wanted = options.stdio === 'inherit' ? ['inherit', 'inherit', 'inherit'] : options.stdio;
    if (!Array.isArray(wanted)) return Reflect.apply(spawn, this, [options]);
    const toLog: readonly number[] = [1, 2].filter((at) => isInherited(wanted[at]));
    const stdio = wanted.map((entry: unknown, at) =>
      !isInherited(entry) ? entry : at === 1 || at === 2 ? 'pipe' : 'ignore',
    );
    const started: unknown = Reflect.apply(spawn, this, [{ ...options, stdio }]);
    for (const at of toLog) passOn(this, at);
    return started;
  };
  replace(prototype, 'spawn', instead);
}

/** To whoever started it the child looks as if it had inherited. */
function passOn(child: ChildProcess, at: number): void {
  const stream = child.stdio[at] as Readable | null | undefined;
  const output = at === 1 ? process.stdout : process.stderr;
  stream?.on('data', (chunk: Buffer) => void output.write(chunk));
  Object.assign(child, at === 1 ? { stdout: null } : { stderr: null });
  Object.assign(child.stdio, { [at]: null });
}
