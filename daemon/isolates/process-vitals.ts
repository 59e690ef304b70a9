// Watches a cell's process from outside: the resident memory and the descriptors of it and of all processes that it has
// started, against the plugin's bounds, and whether its event loop turns while it has nothing to do. What the process
// says of itself is an extra, and stands in where there is no /proc. The cells of services, workers and tools are
// watched alike.
import type { PlainError } from '../../protocol/cell/plain-error.ts';
import type { VitalsMessage } from '../../protocol/cell/process-messages.ts';
import { type CellPart, cellMeters } from './cell-meters.ts';
import { cpuMsOf, descriptorsOf, ownDescriptors, pssMbOf, rssMbOf } from './process-figures.ts';
import { processesBelow } from './process-tree.ts';
import { awakeTime } from '../time/awake-time.ts';

export type VitalsReason = 'rss_limit' | 'descriptor_limit' | 'spinning';

export interface VitalsLimits {
  readonly rssMb: number;
  readonly descriptors: number;
}

/** Whose figures the process's are. */
export interface VitalsSubject {
  readonly plugin: string;
  readonly part: CellPart;
}

export interface VitalsOwner {
  /** It is no program of ours, and tells nothing of itself. */
  readonly silent?: boolean;
  /** Nobody waits for anything of the cell, although its event loop should turn and tell so. */
  idle(): boolean;
  /** The cell is to be ended for this. */
  overstepped(reason: VitalsReason, error: PlainError): void;
}

const lookMs = 250;
/** Memory may grow by gigabytes a second: a cell that has come near its bound is looked at more often. */
const nearShare = 0.5;
const nearLookMs = 50;
/** A cell that says nothing for this long does not turn its event loop. */
const quietMs = 1500;
/** An idle cell whose event loop has not turned for this much processor time does not come back. */
const spinCpuMs = 3000;
/** Counting descriptors costs more than the rest of a look. */
const descriptorLooks = 2;
/** So does finding the processes that the cell has started. */
const startedLooks = 4;
const mebibyte = 1024 * 1024;

export class ProcessVitals {
  readonly #pid: number;
  readonly #rssLimitMb: number;
  readonly #mostDescriptors: number;
  #looks = 0;
  #looksOverDescriptors = 0;
  /** What the cell has started, and what that has started. */
  #started: readonly number[] = [];
  readonly #owner: VitalsOwner;
  readonly #meter: ReturnType<typeof cellMeters.beginProcess>;
  #timer: NodeJS.Timeout | undefined;
  #rssMb: number | undefined;
  #told: VitalsMessage | undefined;
  #toldMs = awakeTime.nowMs();
  /** The processor time an idle cell had used when it was first found not to turn its event loop. */
  #quietCpuMs: number | undefined;
  #stopped = false;

  constructor(pid: number, { plugin, part }: VitalsSubject, limits: VitalsLimits, owner: VitalsOwner) {
    this.#pid = pid;
    this.#rssLimitMb = limits.rssMb;
    this.#mostDescriptors = limits.descriptors;
    this.#owner = owner;
    this.#meter = cellMeters.beginProcess(plugin, part, {
      pid,
      started: () => this.#started,
      figures: () => ({
        heapUsedMb: (this.#told?.heapUsedBytes ?? 0) / mebibyte,
        offHeapMb: (this.#told?.externalBytes ?? 0) / mebibyte,
        rssMb: this.#rssMb,
      }),
      utilization: () => (this.#stopped ? 0 : this.utilization),
    });
    this.#lookIn(lookMs);
  }

  told(message: VitalsMessage): void {
    this.#told = message;
    this.#toldMs = awakeTime.nowMs();
    this.#quietCpuMs = undefined;
  }

  get rssMb(): number | undefined {
    return this.#rssMb;
  }

  /** A loop that does not turn is busy altogether. */
  get utilization(): number {
    if (this.#owner.silent === true) return 0;
    return awakeTime.nowMs() - this.#toldMs > quietMs ? 1 : (this.#told?.utilization ?? 0);
  }

  /** The process is about to be ended, or is looked at no more. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#meter.measure();
    clearTimeout(this.#timer);
  }

  /** The process is gone. */
  ended(): void {
    this.stop();
    this.#meter.end();
  }

  #lookIn(delayMs: number): void {
    this.#timer = setTimeout(() => this.#look(), delayMs).unref();
  }

  #look(): void {
    if (this.#looks % startedLooks === 0) this.#started = processesBelow(this.#pid);
    this.#rssMb = this.#memoryMb(rssMbOf);
    this.#checkMemory(this.#rssMb ?? 0);
    this.#meter.measure();
    if (this.#looks % descriptorLooks === 0) this.#checkDescriptors();
    this.#looks += 1;
    this.#checkSpin(awakeTime.nowMs());
    if (!this.#stopped) this.#lookIn((this.#rssMb ?? 0) > this.#rssLimitMb * nearShare ? nearLookMs : lookMs);
  }

  /** Of the cell and what it has started; those of them that have ended since hold nothing. */
  #memoryMb(memoryOf: (pid: number) => number | undefined): number | undefined {
    const ownMb = memoryOf(this.#pid) ?? (this.#told === undefined ? undefined : this.#told.rssBytes / mebibyte);
    if (ownMb === undefined) return undefined;
    return this.#started.reduce((sum, pid) => sum + (memoryOf(pid) ?? 0), ownMb);
  }

  #checkMemory(rssMb: number): void {
    if (rssMb <= this.#rssLimitMb) return;
    // The processes of a cell share pages, most of all where they run the same program: each page counts once.
    const heldMb = this.#started.length === 0 ? rssMb : (this.#memoryMb(pssMbOf) ?? rssMb);
    if (heldMb <= this.#rssLimitMb) return;
    this.#overstepped(
      'rss_limit',
      'MemoryLimit',
      `${this.#who} held ${heldMb.toFixed(0)} MB of resident memory; limits.rssMb allows ${String(this.#rssLimitMb)}`,
    );
  }

  #checkDescriptors(): void {
    let open = 0;
    // Those that a process itself needs do not count as the plugin's.
    for (const pid of [this.#pid, ...this.#started]) open += Math.max(0, (descriptorsOf(pid) ?? 0) - ownDescriptors);
    this.#looksOverDescriptors = open > this.#mostDescriptors ? this.#looksOverDescriptors + 1 : 0;
    // The process has a hard limit of its own, so a peak between two looks does no harm.
    if (this.#looksOverDescriptors < 2) return;
    this.#overstepped(
      'descriptor_limit',
      'DescriptorLimit',
      `${this.#who} had ${String(open)} descriptors open; limits.descriptors allows ${String(this.#mostDescriptors)}`,
    );
  }

  get #who(): string {
    const others = this.#started.length;
    if (others === 0) return "the cell's process";
    return `the cell's process and the ${others === 1 ? 'one' : String(others)} that it has started`;
  }

  #checkSpin(nowMs: number): void {
    if (!this.#owner.idle() || nowMs - this.#toldMs < quietMs) {
      this.#quietCpuMs = undefined;
      return;
    }
    const cpuMs = cpuMsOf(this.#pid);
    if (cpuMs === undefined) return;
    this.#quietCpuMs ??= cpuMs;
    const spunMs = cpuMs - this.#quietCpuMs;
    if (spunMs < spinCpuMs) return;
    this.#overstepped(
      'spinning',
      'Spinning',
      `the cell had nothing to do and used ${(spunMs / 1000).toFixed(1)} s of processor time without turning its event loop`,
    );
  }

  #overstepped(reason: VitalsReason, name: string, message: string): void {
    if (this.#stopped) return;
    this.stop();
    this.#owner.overstepped(reason, { name, message });
  }
}
