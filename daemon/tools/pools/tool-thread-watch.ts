// Watches the memory of one thread that runs tools. V8 would end the whole daemon for an allocation that jumps over a
// thread's hard limit, so that a thread far over its budget is ended before it gets there.
import type { Worker } from 'node:worker_threads';
import type { PlainError } from '../../../protocol/cell/plain-error.ts';
import type { ToolRegister } from '../../../protocol/cell/tool-register.ts';
import { lossAccount } from '../../files/loss-account.ts';
import { type ThreadMeter, cellMeters } from '../../isolates/cell-meters.ts';
import { type WatchedCell, cellWatch } from '../../isolates/cell-watch.ts';
import type { ThreadLimit } from '../../isolates/thread-accounts.ts';
import { threadInspector } from '../../isolates/thread-inspector.ts';
import { type ThreadBounds, ThreadMemory } from '../../isolates/thread-memory.ts';
import { ThreadPriority } from '../../isolates/thread-priority.ts';
import { type Whereabouts, whereText } from '../../isolates/whereabouts.ts';

export interface ToolThread {
  readonly worker: Worker;
  readonly register: ToolRegister;
}

export interface ToolThreadOwner {
  /** Undefined until the thread is up. */
  thread(): ToolThread | undefined;
  locate(withinMs: number): Promise<Whereabouts>;
  /** The thread is to be ended for this. */
  overstepped(reason: 'heap_limit' | 'descriptor_limit', error: PlainError): void;
}

/** Less than this is housekeeping. */
const leastActiveMs = 1;

export class ToolThreadWatch implements WatchedCell {
  readonly #limits: ThreadBounds;
  readonly #owner: ToolThreadOwner;
  #worker: Worker | undefined;
  #memory: ThreadMemory | undefined;
  #meter: ThreadMeter | undefined;
  readonly #priority = new ThreadPriority();
  #activeMs = 0;
  #idleMs = 0;
  #threadId = 0;

  constructor(limits: ThreadBounds, owner: ToolThreadOwner) {
    this.#limits = limits;
    this.#owner = owner;
    cellWatch.add(this);
  }

  /** The thread is about to be ended. */
  measure(): void {
    this.meet();
    this.#meter?.sample();
  }

  /** The thread's end is ordered, or has come. */
  stop(): void {
    this.#rest();
    threadInspector.dismiss(this.#threadId);
    lossAccount.threadEnding(this.#threadId);
  }

  look(nowMs: number): boolean {
    this.meet();
    if (this.#worker === undefined) return true;
    const { active, idle } = this.#worker.performance.eventLoopUtilization();
    const sinceMs = active - this.#activeMs;
    const rested = idle > this.#idleMs;
    this.#activeMs = active;
    this.#idleMs = idle;
    this.#meter?.looked(nowMs, sinceMs >= leastActiveMs);
    const register = this.#owner.thread()?.register;
    if (sinceMs < leastActiveMs) {
      this.#priority.look(register?.osThread ?? 0, undefined);
      this.#memory?.judgeReport();
      return false;
    }
    this.#memory?.look(sinceMs);
    if (register !== undefined)
      this.#priority.look(
        register.osThread,
        rested || register.phase === undefined || register.phase === 'importing' ? undefined : register.call,
      );
    return true;
  }

  /** As soon as the thread is up it can be watched, and asked. */
  meet(): void {
    const thread = this.#worker === undefined ? this.#owner.thread() : undefined;
    if (thread === undefined) return;
    this.#worker = thread.worker;
    this.#threadId = thread.worker.threadId;
    threadInspector.register(this.#threadId, thread.register.gate);
    lossAccount.threadBegan(this.#threadId, this.#limits.name, thread.register.osThread);
    this.#meter = cellMeters.beginThread(this.#threadId, this.#limits.name, 'tools', {
      osThread: () => thread.register.osThread,
      figures: () => ({ heapUsedMb: thread.register.heapUsedMb, offHeapMb: thread.register.externalMb }),
      loop: () => thread.worker.performance.eventLoopUtilization(),
    });
    thread.worker.once('exit', () => {
      lossAccount.threadEnded(this.#threadId);
      cellMeters.endThread(this.#threadId);
    });
    this.#memory = new ThreadMemory(thread.worker, thread.register, this.#limits, {
      locate: (withinMs) => this.#owner.locate(withinMs),
      overstepped: (limit, what, locate) => void this.#overstepped(limit, what, locate),
    });
  }

  #rest(): void {
    this.#memory?.stop();
    cellWatch.remove(this);
  }

  async #overstepped(
    limit: ThreadLimit,
    what: string,
    locate: () => Whereabouts | Promise<Whereabouts>,
  ): Promise<void> {
    this.#rest();
    const place = whereText(await locate());
    this.#owner.overstepped(limit === 'memory' ? 'heap_limit' : 'descriptor_limit', {
      name: limit === 'memory' ? 'MemoryLimit' : 'DescriptorLimit',
      message: place === '' ? what : `${what}; it was ${place}`,
    });
  }
}
