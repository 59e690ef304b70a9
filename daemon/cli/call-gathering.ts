// How long the plain calls of a client are gathered before they go to the daemon. Each message between two processes
// wakes one of them, and that costs more than a quick call itself: a client that makes many at once has them sent in
// a few larger pieces. A lone call never waits.

/** Calls that take longer in their cell are not waited for: beside them, what a wake-up costs is nothing. */
const quickMs = 1;
/** So long at most a call waits for others, and so long one that was sent is expected to be answered. */
export const gatherMs = 2;

export interface SentCalls {
  readonly sentMs: number;
  /** How many are unanswered. */
  open: number;
}

export class CallGathering {
  /** In the order they were sent. */
  #sent: SentCalls[] = [];
  #quick = false;

  /** Whether so many calls that have not been sent may wait for more: soon an answer will come and bring others. */
  waits(held: number, nowMs: number): boolean {
    if (!this.#quick) return false;
    let open = 0;
    for (const sent of this.#expected(nowMs)) open += sent.open;
    return held < open;
  }

  sent(calls: number, nowMs: number): SentCalls {
    const sent = { sentMs: nowMs, open: calls };
    this.#sent = [...this.#expected(nowMs), sent];
    return sent;
  }

  /** How long the tool of the latest answer took. */
  learn(durationMs: number): void {
    this.#quick = durationMs < quickMs;
  }

  /** What an answer may come of at any moment. */
  #expected(nowMs: number): SentCalls[] {
    return this.#sent.filter((sent) => sent.open > 0 && nowMs - sent.sentMs < gatherMs);
  }
}
