// Ends one run of piscina, which takes an abort signal for that: this is all of a signal that it uses. A real
// AbortController for each call would cost as much as the call's own messages.

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
