// How long calls of each tool take, learnt from those that were answered: quick ones may go to a thread together, and
// a caller that finds no room is told when to come again.

/** The weight of the latest call in the running mean. */
const latestWeight = 0.2;
/** A thread may have waited for a core: one call that took long does not make its tool a slow one. */
const longestTimes = 2;
const longestMoreMs = 0.05;
/** About what it takes to wake a thread, with what its waking takes from the others. */
const wakeMs = 0.1;
/** What goes to a thread together is to be through in about this time. */
const togetherMs = 1;

export class ToolPace {
  readonly #meanMs = new Map<string, number>();

  learn(toolName: string, durationMs: number): void {
    const meanMs = this.#meanMs.get(toolName);
    const next =
      meanMs === undefined
        ? durationMs
        : meanMs + (Math.min(durationMs, meanMs * longestTimes + longestMoreMs) - meanMs) * latestWeight;
    this.#meanMs.set(toolName, next);
  }

  /** Nothing before the first call of the tool. */
  meanMs(toolName: string): number | undefined {
    return this.#meanMs.get(toolName);
  }

  /** How many calls may go together; one, as long as nothing is known. */
  together(toolName: string): number {
    return this.#within(toolName, togetherMs);
  }

  /** How many calls are through in the time that waking another thread takes; one, as long as nothing is known. */
  perWakeUp(toolName: string): number {
    return this.#within(toolName, wakeMs);
  }

  #within(toolName: string, timeMs: number): number {
    const meanMs = this.#meanMs.get(toolName);
    return meanMs === undefined ? 1 : Math.max(1, Math.floor(timeMs / meanMs));
  }
}
