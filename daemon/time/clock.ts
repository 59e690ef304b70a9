// Time as a parameter: policy is tested on a virtual clock, and only the real one touches timers.

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since the epoch, for what is shown. */
  wallMs(): number;
  /** Milliseconds that the daemon was awake; never goes back, and stands while the daemon is stopped or asleep. */
  monotonicMs(): number;
  /** For ages of hours: goes on while the daemon is stopped or the machine asleep, and nobody sets it. */
  steadyMs(): number;
  /** An instant that a cell took on the clock of `protocol/cell/register.ts`, on this clock. */
  fromCellMs(atMs: number): number;
  /** A duration that a cell measured and has just reported, without what the daemon slept through. */
  awakeOf(durationMs: number): number;
  /** How long ago an instant of this clock is on a clock that never stands, for what is shown as a date. */
  elapsedMs(sinceMs: number): number;
  after(delayMs: number, run: () => void): Timer;
  /** Runs once the present turn's work is done. */
  soon(run: () => void): void;
}
