// Between a thread that may be about to end and the host that puts a question to it: Node crashes on a question to a
// thread that is being torn down, and the whole daemon would pay for it. Two shared words, so that neither side can
// miss the other: whoever comes second sees the first.

const leavingAt = 0;
const askingAt = 1;
export const gateWords = 2;

/** The host asks within microseconds, unless it has no processor. */
const mostWaitMs = 1000;
const now = performance.now.bind(performance);

export class InspectorGate {
  readonly #words: Int32Array;

  /** A part of the thread's register, `gateWords` long. */
  constructor(words: Int32Array) {
    this.#words = words;
  }

  /** The host's: runs `put` unless the thread is leaving; tells whether it did. */
  ask(put: () => void): boolean {
    Atomics.store(this.#words, askingAt, 1);
    try {
      if (Atomics.load(this.#words, leavingAt) === 1) return false;
      put();
      return true;
    } finally {
      Atomics.store(this.#words, askingAt, 0);
    }
  }

  /** The thread's, before it ends by itself: from here on nobody asks, and whoever just does is waited for. */
  leave(): void {
    this.shut();
    const endMs = now() + mostWaitMs;
    while (Atomics.load(this.#words, askingAt) === 1 && now() < endMs);
  }

  /** The host's, before it ends the thread. */
  shut(): void {
    Atomics.store(this.#words, leavingAt, 1);
  }
}
