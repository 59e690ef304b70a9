// One way of getting events from a host's main thread to a handler elsewhere, and the outcome back.

export interface Way {
  /** Keeps it busy for so long; answers how many events were handled and how long the handling took. */
  busy(durationMs: number): Promise<Work>;
  /** One event there and back. */
  once?(): Promise<void>;
  end(): Promise<unknown>;
}

export interface Work {
  readonly events: number;
  readonly tookMs: number;
}

/** Keeps so many calls unanswered until the time is over. */
export function keepingBusy(unanswered: number, call: () => Promise<unknown>): (durationMs: number) => Promise<Work> {
  return async (durationMs) => {
    const beganMs = performance.now();
    let events = 0;
    const one = async (): Promise<void> => {
      while (performance.now() - beganMs < durationMs) {
        await call();
        events += 1;
      }
    };
    await Promise.all(Array.from({ length: unanswered }, one));
    return { events, tookMs: performance.now() - beganMs };
  };
}
