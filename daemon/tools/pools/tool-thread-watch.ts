// Watches the memory of one thread that runs tools. V8 would end the whole daemon for an allocation that jumps over a
// thread's hard limit, so that a thread far over its budget is ended before it gets there.
import type { Worker } from 'node:worker_threads';
import type { PlainError } from '../../../protocol/cell/plain-error.ts';
import type { ToolRegister } from '../../../protocol/cell/tool-register.ts';
import { lossAccount } from '../../files/loss-account.ts';
import { type WatchedCell, cellWatch } from '../../isolates/cell-watch.ts';
import type { ThreadLimit } from '../../isolates/thread-accounts.ts';
import { threadInspector } from '../../isolates/thread-inspector.ts';
import type { ThreadBounds } from '../../isolates/thread-memory.ts';
import { WatchedThread, limitErrors, limitReasons, oversteppedError } from '../../isolates/watched-thread.ts';
import type { Whereabouts } from '../../isolates/whereabouts.ts';

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

export class ToolThreadWatch implements WatchedCell {
  readonly #limits: ThreadBounds;
  readonly #owner: ToolThreadOwner;
  #thread: WatchedThread | undefined;
  #threadId = 0;

  constructor(limits: ThreadBounds, owner: ToolThreadOwner) {
    this.#limits = limits;
    this.#owner = owner;
    cellWatch.add(this);
  }

  /** The thread is about to be ended. */
  measure(): void {
    this.meet();
    this.#thread?.measure();
  }

  /** The thread's end is ordered, or has come. */
  stop(): void {
    this.#rest();
    threadInspector.dismiss(this.#threadId);
    lossAccount.threadEnding(this.#threadId);
  }

  look(nowMs: number): boolean {
    this.meet();
    if (this.#thread === undefined) return true;
    const loop = this.#thread.look(nowMs);
    if (loop === undefined) return false;
    const register = this.#owner.thread()?.register;
    const isCalled = register?.phase !== undefined && register.phase !== 'importing';
    this.#thread.lookAtPriority(isCalled && loop.idleMs <= 0 ? register.call : undefined);
    return true;
  }

  /** As soon as the thread is up it can be watched, and asked. */
  meet(): void {
    const thread = this.#thread === undefined ? this.#owner.thread() : undefined;
    if (thread === undefined) return;
    const { worker, register } = thread;
    this.#threadId = worker.threadId;
    threadInspector.register(this.#threadId, register.gate);
    lossAccount.threadKnown(this.#threadId, register.osThread);
    this.#thread = new WatchedThread(worker, register, this.#limits, 'tools', {
      locate: (withinMs) => this.#owner.locate(withinMs),
      overstepped: (limit, what, locate) => void this.#overstepped(limit, what, locate),
    });
  }

  #rest(): void {
    this.#thread?.stop();
    cellWatch.remove(this);
  }

  async #overstepped(
    limit: ThreadLimit,
    what: string,
    locate: () => Whereabouts | Promise<Whereabouts>,
  ): Promise<void> {
    this.#rest();
    this.#owner.overstepped(limitReasons[limit], await oversteppedError(limitErrors[limit], what, locate));
  }
}
