// Holds the memory of one thread against its budget. The thread's own figures are used while they come; one that is too
// busy to tell them is asked. What is over the budget is looked at again after a collection, because V8 counts garbage.
import type { Worker } from 'node:worker_threads';
import { type MemoryFigures, MemoryBudget } from './memory-budget.ts';
import { inspection } from './stack-capture.ts';
import { type ThreadAccount, type ThreadLimit, threadAccounts } from './thread-accounts.ts';
import { threadInspector } from './thread-inspector.ts';
import type { Whereabouts } from './whereabouts.ts';

/** Shared with the thread, which writes its figures there. */
export interface MemoryRegister {
  readonly heapUsedMb: number;
  readonly externalMb: number;
  readonly descriptors: number;
  readonly osThread: number;
  readonly workingSinceMs: number | undefined;
  /** Grows with every report. */
  readonly memoryReports: number;
  reportMemory(heapUsedBytes: number, externalBytes: number): void;
}

export interface MemoryOwner {
  locate(withinMs: number): Promise<Whereabouts>;
  /** The thread is to be ended for this. */
  overstepped(limit: ThreadLimit, what: string, locate: () => Whereabouts | Promise<Whereabouts>): void;
}

/** Newer Nodes have it; the types are those of the oldest. */
type AskableWorker = Worker & {
  getHeapStatistics?(): Promise<{ readonly used_heap_size: number; readonly external_memory: number }>;
};

/** A thread that worked this long without a word on its memory is asked. */
const silentWorkMs = 25;
const askMs = 500;
const collectMs = 1500;
/** One that was found within its budget is not made to collect again before this. */
const collectAgainMs = 20_000;
/** A heap may grow by twenty megabytes meanwhile. */
const shortWhereMs = 40;

const reportMemory = `${inspection}.reportMemory()`;

export interface ThreadBounds {
  /** The cell's: that of its plugin, or PLUGIN:PROFILE. */
  readonly name: string;
  readonly heapMb: number;
  readonly rssMb: number;
  readonly descriptors: number;
}

export class ThreadMemory implements ThreadAccount {
  readonly plugin: string;
  readonly threadId: number;
  readonly allowedMb: number;
  readonly #mostDescriptors: number;
  readonly #worker: AskableWorker;
  readonly #register: MemoryRegister;
  readonly #budget: MemoryBudget;
  readonly #owner: MemoryOwner;
  #reports = 0;
  #silentMs = 0;
  #asking = false;
  #collecting = false;
  #collectedMs = -Infinity;
  #stopped = false;

  constructor(worker: Worker, register: MemoryRegister, limits: ThreadBounds, owner: MemoryOwner) {
    this.#worker = worker;
    this.threadId = worker.threadId;
    this.#register = register;
    this.#budget = new MemoryBudget(limits.heapMb, limits.rssMb);
    this.#owner = owner;
    this.plugin = limits.name.split(':', 1)[0] ?? limits.name;
    this.allowedMb = Math.max(limits.rssMb, limits.heapMb);
    this.#mostDescriptors = limits.descriptors;
    threadAccounts.add(this);
  }

  get osThread(): number {
    return this.#register.osThread;
  }

  get accountedMb(): number {
    return this.#register.heapUsedMb + this.#register.externalMb;
  }

  get descriptors(): number {
    return this.#register.descriptors;
  }

  get workingSinceMs(): number | undefined {
    return this.#register.workingSinceMs;
  }

  end(limit: ThreadLimit, what: string): void {
    if (!this.#stopped) this.#owner.overstepped(limit, what, () => this.#owner.locate(shortWhereMs));
  }

  stop(): void {
    this.#stopped = true;
    threadAccounts.delete(this);
  }

  /** After the thread was busy for this long. */
  look(activeMs: number): void {
    if (this.judgeReport()) return;
    this.#silentMs += activeMs;
    if (this.#silentMs >= silentWorkMs && !this.#asking) void this.#ask();
  }

  /**
   * Judges what the thread has reported since the last look, also when it has been idle since; false where that is
   * nothing.
   */
  judgeReport(): boolean {
    if (this.#register.memoryReports === this.#reports) return false;
    this.#reports = this.#register.memoryReports;
    this.#silentMs = 0;
    this.#judge();
    return true;
  }

  get #figures(): MemoryFigures {
    return { heapMb: this.#register.heapUsedMb, externalMb: this.#register.externalMb };
  }

  /** The answer is found in the register, as if the thread had told it by itself. */
  async #ask(): Promise<void> {
    this.#asking = true;
    if (this.#worker.getHeapStatistics === undefined)
      await threadInspector.evaluate(this.threadId, reportMemory, askMs);
    else await this.#ownStatistics();
    this.#asking = false;
    if (!this.#stopped) this.#judge();
  }

  async #ownStatistics(): Promise<void> {
    try {
      const statistics = await this.#worker.getHeapStatistics?.();
      if (statistics !== undefined) this.#register.reportMemory(statistics.used_heap_size, statistics.external_memory);
    } catch {
      // The thread has ended meanwhile.
    }
  }

  #judge(): void {
    if (this.descriptors > this.#mostDescriptors) {
      this.end(
        'descriptors',
        `the cell had ${String(this.descriptors)} descriptors open; limits.descriptors allows ${String(this.#mostDescriptors)}`,
      );
      return;
    }
    const verdict = this.#budget.judge(this.#figures);
    if (verdict === 'farOver') this.#end();
    else if (verdict === 'over' && !this.#collecting && performance.now() - this.#collectedMs >= collectAgainMs)
      void this.#collect();
  }

  async #collect(): Promise<void> {
    this.#collecting = true;
    const where = await this.#owner.locate(shortWhereMs);
    if (await threadInspector.collectGarbage(this.threadId, collectMs))
      await threadInspector.evaluate(this.threadId, reportMemory, askMs);
    this.#collecting = false;
    this.#collectedMs = performance.now();
    if (!this.#stopped && this.#budget.judge(this.#figures) !== 'within') this.#end(where);
  }

  /** `seen`: where it was before it collected, which keeps it from answering for a while. */
  #end(seen?: Whereabouts): void {
    if (this.#stopped) return;
    this.#owner.overstepped('memory', this.#budget.text(this.#figures), () =>
      seen?.kind === 'javascript' ? seen : this.#owner.locate(shortWhereMs),
    );
  }
}
