// Which call of a plugin's tools may begin, and when: first come, first served, as many at once as there are threads.
// Pools have queues too, but theirs forget calls when a thread is ended; here none is lost and the bound is exact.

export interface QueuedCall {
  readonly toolName: string;
  /** Grows from call to call. */
  readonly arrival: number;
}

/**
 * A tool that holds every thread would keep out the plugin's other tools for as long as it is stuck. So one thread
 * more than the bound may serve a tool that has none.
 */
export const spareThreads = 1;

export class CallQueue<Call extends QueuedCall> {
  readonly #threads: number;
  /** Sets keep their order and forget a call that gave up without a search. */
  readonly #waiting = new Map<string, Set<Call>>();
  readonly #running = new Map<string, number>();
  #waitingCount = 0;
  #runningCount = 0;

  constructor(threads: number) {
    this.#threads = threads;
  }

  get waiting(): number {
    return this.#waitingCount;
  }

  get running(): number {
    return this.#runningCount;
  }

  /** Whether a call of this tool that came now would begin at once. */
  admits(toolName: string): boolean {
    return (this.#waiting.get(toolName)?.size ?? 0) === 0 && this.#hasThreadFor(toolName);
  }

  add(call: Call): void {
    const line = this.#waiting.get(call.toolName) ?? new Set();
    this.#waiting.set(call.toolName, line.add(call));
    this.#waitingCount += 1;
  }

  /** False where the call does not wait. */
  remove(call: Call): boolean {
    const line = this.#waiting.get(call.toolName);
    if (line?.delete(call) !== true) return false;
    if (line.size === 0) this.#waiting.delete(call.toolName);
    this.#waitingCount -= 1;
    return true;
  }

  /** The call whose turn it is; it runs until it is `ended`. */
  next(): Call | undefined {
    let first: Call | undefined;
    for (const [toolName, line] of this.#waiting) {
      if (!this.#hasThreadFor(toolName)) continue;
      const [head] = line;
      if (head !== undefined && (first === undefined || head.arrival < first.arrival)) first = head;
    }
    if (first !== undefined) {
      this.remove(first);
      this.#running.set(first.toolName, (this.#running.get(first.toolName) ?? 0) + 1);
      this.#runningCount += 1;
    }
    return first;
  }

  ended(call: Call): void {
    const left = (this.#running.get(call.toolName) ?? 0) - 1;
    if (left > 0) this.#running.set(call.toolName, left);
    else this.#running.delete(call.toolName);
    this.#runningCount -= 1;
  }

  #hasThreadFor(toolName: string): boolean {
    if (this.#runningCount < this.#threads) return true;
    return this.#runningCount < this.#threads + spareThreads && !this.#running.has(toolName);
  }
}
