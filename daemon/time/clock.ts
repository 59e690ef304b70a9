// Time as a parameter: policy is tested on a virtual clock, and only the real one touches timers.

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since the epoch, for what is shown. */
  wallMs(): number;
  /** Milliseconds of the clock that cells share; never goes back. */
  monotonicMs(): number;
  after(delayMs: number, run: () => void): Timer;
  /** Runs once the present turn's work is done. */
  soon(run: () => void): void;
}
