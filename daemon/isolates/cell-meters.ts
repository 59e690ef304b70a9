// What each plugin uses of the machine: the processor time of all its cells, those that are gone included, and what the
// living ones hold. Figures of threads are taken while the daemon looks at them anyway, so that reading what is here
// costs nothing; a cell is measured once more before its end.
import { awakeTime } from '../time/awake-time.ts';
import { lowerPriority } from './thread-priority.ts';
import { reapedCpuMs, processCpuMs, threadCpuMs, treeCpuMs } from './processor-figures.ts';

/** The part of a plugin that a cell runs. */
export const cellParts = ['service', 'tools', 'workers'] as const;
export type CellPart = (typeof cellParts)[number];

/** Cells of workers are named PLUGIN:PROFILE. */
export function cellOwner(name: string): { readonly plugin: string; readonly part: CellPart } {
  const [plugin = name, profile] = name.split(':', 2);
  return { plugin, part: profile === undefined ? 'service' : 'workers' };
}

export interface PartUsage {
  readonly cpuSeconds: number;
  readonly cells: number;
  readonly heapUsedMb: number;
  readonly offHeapMb: number;
  /** Of processes; threads share the daemon's. */
  readonly rssMb: number;
  /** Of the busiest of its cells, in the last seconds. */
  readonly eventLoopUtilization: number;
}

export interface CellFigures {
  readonly heapUsedMb: number;
  readonly offHeapMb: number;
  readonly rssMb?: number | undefined;
}

interface LoopTimes {
  readonly active: number;
  readonly idle: number;
}

export interface ThreadSource {
  readonly osThread: () => number;
  readonly figures: () => CellFigures;
  readonly loop: () => LoopTimes;
}

export interface ProcessSource {
  readonly pid: number;
  /** What lives of it and of its children, as it was found last. */
  readonly started: () => readonly number[];
  readonly figures: () => CellFigures;
  /** Share of time its event loop was busy. */
  readonly utilization: () => number;
}

/** A thread that is busy is measured this often. */
const sampleMs = 500;
/** The time over which the share of a busy event loop is told. */
const loopSpanMs = 2000;

abstract class CellMeter {
  /** What is known to have been used so far: it never shrinks. */
  #knownMs = 0;
  readonly #add: (ms: number) => void;

  constructor(add: (ms: number) => void) {
    this.#add = add;
  }

  abstract readonly utilization: number;
  abstract figures(): CellFigures;
  /** Takes the system's figure now. */
  abstract sample(): void;
  protected abstract readonly system: number;

  /** Gives it a lower priority. */
  lower(): void {
    lowerPriority(this.system);
  }

  get knownMs(): number {
    return this.#knownMs;
  }

  know(ms: number | undefined): void {
    if (ms === undefined || ms <= this.#knownMs) return;
    this.#add(ms - this.#knownMs);
    this.#knownMs = ms;
  }
}

export class ThreadMeter extends CellMeter {
  readonly #source: ThreadSource;
  #sampledMs = 0;
  #isDue = true;
  #span: { readonly atMs: number; readonly loop: LoopTimes };
  #utilization = 0;

  constructor(source: ThreadSource, add: (ms: number) => void) {
    super(add);
    this.#source = source;
    this.#span = { atMs: awakeTime.nowMs(), loop: source.loop() };
  }

  figures(): CellFigures {
    return this.#source.figures();
  }

  get utilization(): number {
    const nowMs = awakeTime.nowMs();
    if (nowMs - this.#span.atMs < loopSpanMs) return this.#utilization;
    const { active, idle } = this.#source.loop();
    const { loop } = this.#span;
    const all = active - loop.active + (idle - loop.idle);
    this.#utilization = all > 0 ? (active - loop.active) / all : 0;
    this.#span = { atMs: nowMs, loop: { active, idle } };
    return this.#utilization;
  }

  /** The daemon has looked at the thread. One that has rested since it was measured need not be measured again. */
  looked(nowMs: number, wasActive: boolean): void {
    if (wasActive) this.#isDue = true;
    if (!this.#isDue || nowMs - this.#sampledMs < sampleMs) return;
    this.#sampledMs = nowMs;
    this.#isDue = false;
    this.sample();
  }

  sample(): void {
    this.know(threadCpuMs(this.#source.osThread()));
  }

  protected get system(): number {
    return this.#source.osThread();
  }
}

class ProcessMeter extends CellMeter {
  readonly #source: ProcessSource;
  #sampledMs = awakeTime.nowMs();

  constructor(source: ProcessSource, add: (ms: number) => void) {
    super(add);
    this.#source = source;
  }

  figures(): CellFigures {
    return this.#source.figures();
  }

  get utilization(): number {
    return this.#source.utilization();
  }

  sample(): void {
    this.#sampledMs = awakeTime.nowMs();
    this.know(treeCpuMs(this.#source.pid, this.#source.started()));
  }

  protected get system(): number {
    return this.#source.pid;
  }

  override lower(): void {
    super.lower();
    for (const pid of this.#source.started()) lowerPriority(pid);
  }

  /** Without looking for what it has started. */
  sampleItself(): void {
    this.#sampledMs = awakeTime.nowMs();
    this.know(processCpuMs(this.#source.pid));
  }

  /**
   * It has ended, and `reapedMs` of processor time came to the daemon with processes that have ended. That is believed
   * as far as it can be this one's: it had no more time than has passed since it was measured.
   */
  ended(reapedMs: number): void {
    const mostMs = (awakeTime.nowMs() - this.#sampledMs) * mostProcessors;
    if (reapedMs > this.knownMs) this.know(Math.min(reapedMs, this.knownMs + mostMs));
  }
}

/** That the tail of an ended process may have used at once. */
const mostProcessors = 4;

interface Account {
  readonly cpuMs: Record<CellPart, number>;
  readonly meters: Record<CellPart, Set<CellMeter>>;
}

const newAccount = (): Account => ({
  cpuMs: { service: 0, tools: 0, workers: 0 },
  meters: { service: new Set(), tools: new Set(), workers: new Set() },
});

const rounded = (value: number, digits: number): number => Math.round(value * 10 ** digits) / 10 ** digits;

export class CellMeters {
  readonly #accounts = new Map<string, Account>();
  readonly #threads = new Map<number, { readonly meter: ThreadMeter; readonly remove: () => void }>();
  #reapedMs = reapedCpuMs() ?? 0;

  beginThread(threadId: number, plugin: string, part: CellPart, source: ThreadSource): ThreadMeter {
    const account = this.#account(plugin);
    const meter = new ThreadMeter(source, (ms) => (account.cpuMs[part] += ms));
    account.meters[part].add(meter);
    this.#threads.set(threadId, { meter, remove: () => account.meters[part].delete(meter) });
    return meter;
  }

  /** Before it is ended, while the system still knows it. */
  measureThread(threadId: number): void {
    this.#threads.get(threadId)?.meter.sample();
  }

  endThread(threadId: number): void {
    this.#threads.get(threadId)?.remove();
    this.#threads.delete(threadId);
  }

  beginProcess(plugin: string, part: CellPart, source: ProcessSource): { measure(): void; end(): void } {
    const account = this.#account(plugin);
    const meter = new ProcessMeter(source, (ms) => (account.cpuMs[part] += ms));
    account.meters[part].add(meter);
    return {
      measure: () => meter.sampleItself(),
      end: () => {
        const reapedMs = reapedCpuMs() ?? this.#reapedMs;
        meter.ended(reapedMs - this.#reapedMs);
        this.#reapedMs = reapedMs;
        account.meters[part].delete(meter);
      },
    };
  }

  /** What all cells of a plugin have used, as it is known. */
  cpuMs(plugin: string): number {
    const { cpuMs } = this.#accounts.get(plugin) ?? newAccount();
    return cpuMs.service + cpuMs.tools + cpuMs.workers;
  }

  /** Gives the cells that a plugin has now a lower priority. An ordinary user cannot raise it again. */
  lower(plugin: string): void {
    const account = this.#accounts.get(plugin);
    if (account === undefined) return;
    for (const part of cellParts) for (const meter of account.meters[part]) meter.lower();
  }

  /** Has the cells of a plugin measured now; they are otherwise measured while they work. */
  measure(plugin: string, kind: 'all' | 'processes' = 'all'): void {
    const account = this.#accounts.get(plugin);
    if (account === undefined) return;
    for (const part of cellParts) {
      for (const meter of account.meters[part]) if (kind === 'all' || meter instanceof ProcessMeter) meter.sample();
    }
  }

  usage(plugin: string, part: CellPart): PartUsage {
    const account = this.#accounts.get(plugin) ?? newAccount();
    let heapUsedMb = 0;
    let offHeapMb = 0;
    let rssMb = 0;
    let eventLoopUtilization = 0;
    for (const meter of account.meters[part]) {
      const figures = meter.figures();
      heapUsedMb += figures.heapUsedMb;
      offHeapMb += figures.offHeapMb;
      rssMb += figures.rssMb ?? 0;
      eventLoopUtilization = Math.max(eventLoopUtilization, meter.utilization);
    }
    return {
      cpuSeconds: rounded(account.cpuMs[part] / 1000, 3),
      cells: account.meters[part].size,
      heapUsedMb: rounded(heapUsedMb, 1),
      offHeapMb: rounded(offHeapMb, 1),
      rssMb: rounded(rssMb, 1),
      eventLoopUtilization: rounded(eventLoopUtilization, 3),
    };
  }

  /** The plugin is unloaded. */
  forget(plugin: string): void {
    const account = this.#accounts.get(plugin);
    // Cells that do not end still count for what is loaded under the same id later.
    if (account !== undefined && cellParts.every((part) => account.meters[part].size === 0))
      this.#accounts.delete(plugin);
  }

  #account(plugin: string): Account {
    const known = this.#accounts.get(plugin);
    if (known !== undefined) return known;
    const account = newAccount();
    this.#accounts.set(plugin, account);
    return account;
  }
}

/** Of all cells of this daemon. */
export const cellMeters = new CellMeters();
