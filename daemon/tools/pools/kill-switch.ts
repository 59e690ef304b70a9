// Ends one run of a pool: both pools take an abort signal for that, and this is all of a signal that they use. A real
// AbortController a call would cost as much as the call's own messages.

export class KillSwitch {
  #pulled: (() => void) | undefined;

  addEventListener(_event: 'abort', listener: () => void): void {
    this.#pulled = listener;
  }

  removeEventListener(): void {
    this.#pulled = undefined;
  }

  /** The pool gives up the cell of this run at once and ends it; a run that is over is not touched. */
  pull(): void {
    const pulled = this.#pulled;
    this.#pulled = undefined;
    pulled?.();
  }
}
