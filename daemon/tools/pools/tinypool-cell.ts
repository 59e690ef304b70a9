// What is used of tinypool's workers, and where that goes beyond its types: the child process or the thread behind a worker, which
// tinypool keeps in a plain property, is needed to end it hard, to watch it and to keep its output out of the daemon's.
import type { Tinypool, TinypoolWorker } from 'tinypool';
import type { ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import type { Worker } from 'node:worker_threads';
import type { KillSwitch } from './kill-switch.ts';
import type { LivingCells } from './living-cells.ts';

export type TinypoolCell = TinypoolWorker & { readonly process?: ChildProcess; readonly thread?: Worker };

export const cellsOf = (pool: Tinypool): TinypoolCell[] => pool.threads;

/** Pulls the switch of a run; what the pool gives up by that is expected to end. */
export function release(pool: Tinypool, killSwitch: KillSwitch, living: LivingCells): void {
  const before = cellsOf(pool);
  killSwitch.pull();
  const left = new Set(cellsOf(pool));
  for (const cell of before) {
    if (!left.has(cell)) living.expectEnd(cell);
  }
}

/**
 * Tinypool makes no descriptor for a watchdog. But the pipe to a child's stdin is a socket that carries both ways, and
 * nobody uses it: its handle moves to a stream that also reads. Where Node keeps it elsewhere there is no line, and the
 * child still sees the daemon's end.
 */
export function stdinLine(child: ChildProcess): Socket | undefined {
  const stdin: (Writable & { _handle?: object | null }) | null = child.stdin;
  const handle = stdin?._handle;
  if (stdin === null || handle === undefined || handle === null) return undefined;
  stdin._handle = null;
  const options = { handle, readable: true, writable: true };
  // A living process is its pool's to wait for.
  return new Socket(options).unref();
}
