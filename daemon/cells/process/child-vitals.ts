// Watches a cell's process from outside: its resident memory against its bound, and whether its event loop turns while
// it has nothing to do. What the process says of itself is an extra, and stands in where there is no /proc.
import type { VitalsMessage } from '../../../protocol/cell/process-messages.ts';
import type { CellEnd } from '../cell.ts';
import { cpuMsOf, descriptorsOf, ownDescriptors, rssMbOf } from './child-figures.ts';
import { awakeTime } from '../../time/awake-time.ts';

export interface VitalsOwner {
  /** Nobody waits for anything of the cell. */
  idle(): boolean;
  /** The cell is to be ended for this. */
  overstepped(end: CellEnd): void;
}

const lookMs = 250;
/** Memory may grow by gigabytes a second: a cell that has come near its bound is looked at more often. */
const nearShare = 0.5;
const nearLookMs = 50;
/** A cell that says nothing for this long does not turn its event loop. */
const quietMs = 1500;
/** An idle cell whose event loop has not turned for this much processor time does not come back. */
const spinCpuMs = 3000;
/** Counting them costs more than the rest of a look. */
const descriptorLooks = 2;
const mebibyte = 1024 * 1024;

export class ChildVitals {
  readonly #pid: number;
  readonly #rssLimitMb: number;
  readonly #mostDescriptors: number;
  #looks = 0;
  readonly #owner: VitalsOwner;
  #timer: NodeJS.Timeout | undefined;
  #rssMb: number | undefined;
  #told: VitalsMessage | undefined;
  #toldMs = awakeTime.nowMs();
  /** The processor time an idle cell had used when it was first found not to turn its event loop. */
  #quietCpuMs: number | undefined;
  #stopped = false;

  constructor(pid: number, limits: { readonly rssMb: number; readonly descriptors: number }, owner: VitalsOwner) {
    this.#pid = pid;
    this.#rssLimitMb = limits.rssMb;
    this.#mostDescriptors = limits.descriptors;
    this.#owner = owner;
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
    return awakeTime.nowMs() - this.#toldMs > quietMs ? 1 : (this.#told?.utilization ?? 0);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #lookIn(delayMs: number): void {
    this.#timer = setTimeout(() => this.#look(), delayMs).unref();
  }

  #look(): void {
    this.#rssMb = rssMbOf(this.#pid) ?? (this.#told === undefined ? undefined : this.#told.rssBytes / mebibyte);
    this.#checkMemory(this.#rssMb ?? 0);
    if (this.#looks % descriptorLooks === 0) this.#checkDescriptors();
    this.#looks += 1;
    this.#checkSpin(awakeTime.nowMs());
    if (!this.#stopped) this.#lookIn((this.#rssMb ?? 0) > this.#rssLimitMb * nearShare ? nearLookMs : lookMs);
  }

  #checkMemory(rssMb: number): void {
    if (rssMb <= this.#rssLimitMb) return;
    const message = `the cell's process held ${rssMb.toFixed(0)} MB of resident memory; limits.rssMb allows ${String(this.#rssLimitMb)}`;
    this.#overstepped({ reason: 'rss_limit', error: { name: 'MemoryLimit', message }, exitCode: null });
  }

  #checkDescriptors(): void {
    const open = descriptorsOf(this.#pid);
    // Those that the cell itself needs do not count as the plugin's.
    if (open === undefined || open - ownDescriptors <= this.#mostDescriptors) return;
    const message = `the cell's process had ${String(open - ownDescriptors)} descriptors open; limits.descriptors allows ${String(this.#mostDescriptors)}`;
    this.#overstepped({ reason: 'descriptor_limit', error: { name: 'DescriptorLimit', message }, exitCode: null });
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
    const message = `the cell had nothing to do and used ${(spunMs / 1000).toFixed(1)} s of processor time without turning its event loop`;
    this.#overstepped({ reason: 'spinning', error: { name: 'Spinning', message }, exitCode: null });
  }

  #overstepped(end: CellEnd): void {
    if (this.#stopped) return;
    this.stop();
    this.#owner.overstepped(end);
  }
}
