// Which call of a plugin's tools may begin, and when: first come, first served, as many at once as there are threads.
// Calls of the same tool may go along to a thread, and come back when they do not get to run there soon. Pools have
// queues too, but theirs forget calls when a thread is ended; here none is lost and the bound is exact.

import { Chain, type Link } from './chain.ts';

export interface QueuedCall {
  readonly toolName: string;
  /** Grows from call to call. */
  readonly arrival: number;
  /** Where it waits; the queue's own. */
  place?: Link<QueuedCall> | undefined;
}

/**
 * A tool that holds every thread would keep out the plugin's other tools for as long as it is stuck. So one thread
 * more than the bound may serve a tool that has none.
 */
export const spareThreads = 1;

export class CallQueue<Call extends QueuedCall> {
  readonly #threads: number;
  readonly #waiting = new Map<string, Chain<Call>>();
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
    return this.waitingOf(toolName) === 0 && this.hasThreadFor(toolName);
  }

  waitingOf(toolName: string): number {
    return this.#waiting.get(toolName)?.size ?? 0;
  }

  add(call: Call): void {
    call.place = this.#lineOf(call.toolName).append(call);
    this.#waitingCount += 1;
  }

  /** Calls that went along and did not begin are again the first of their tool, in the order they are given. */
  putBack(calls: readonly Call[]): void {
    for (const call of calls.toReversed()) {
      call.place = this.#lineOf(call.toolName).prepend(call);
      this.#waitingCount += 1;
    }
  }

  /** The next of a tool that has a thread: it goes along with what runs there. */
  takeSameTool(toolName: string): Call | undefined {
    const call = this.#waiting.get(toolName)?.first;
    if (call !== undefined) this.remove(call);
    return call;
  }

  /** False where the call does not wait. */
  remove(call: Call): boolean {
    const { place } = call;
    // A call's place is only ever one in the line of its own tool.
    if (place === undefined || this.#waiting.get(call.toolName)?.remove(place as Link<Call>) !== true) return false;
    call.place = undefined;
    this.#waitingCount -= 1;
    return true;
  }

  /** The call whose turn it is; it runs until it is `ended`. */
  next(): Call | undefined {
    if (this.#waitingCount === 0) return undefined;
    let first: Call | undefined;
    for (const [toolName, line] of this.#waiting) {
      const head = line.first;
      if (head !== undefined && (first === undefined || head.arrival < first.arrival) && this.hasThreadFor(toolName))
        first = head;
    }
    if (first !== undefined) {
      this.remove(first);
      this.#running.set(first.toolName, (this.#running.get(first.toolName) ?? 0) + 1);
      this.#runningCount += 1;
    }
    return first;
  }

  /** All that wait, tool by tool. */
  everyone(): Call[] {
    return [...this.#waiting.values()].flatMap((line) => line.items());
  }

  /** A call that was `next` has left its thread, and those that went along with it have too. */
  ended({ toolName }: { readonly toolName: string }): void {
    this.#running.set(toolName, (this.#running.get(toolName) ?? 0) - 1);
    this.#runningCount -= 1;
  }

  #lineOf(toolName: string): Chain<Call> {
    let line = this.#waiting.get(toolName);
    if (line === undefined) {
      line = new Chain();
      this.#waiting.set(toolName, line);
    }
    return line;
  }

  /** Whether a call of this tool could begin, were it the next. */
  hasThreadFor(toolName: string): boolean {
    if (this.#runningCount < this.#threads) return true;
    return this.#runningCount < this.#threads + spareThreads && (this.#running.get(toolName) ?? 0) === 0;
  }
}
