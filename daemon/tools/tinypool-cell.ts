// What is used of tinypool's workers, and where that goes beyond its types: the child process or the thread behind a worker, which
// tinypool keeps in a plain property, is needed to end it hard and to keep its output out of the daemon's.
import type { Tinypool, TinypoolWorker } from 'tinypool';
import type { ChildProcess } from 'node:child_process';
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
