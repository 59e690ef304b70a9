// Watches what all thread cells share because they live in the daemon's process: its memory and its descriptors. Each
// cell is held to its own bounds where it can be counted; here is seen what only the process as a whole shows.
import { DescriptorReserve } from '../isolates/descriptor-reserve.ts';
import { threadTimes } from '../isolates/os-thread.ts';
import {
  type ThreadAccount,
  faultedMb,
  mappedMemoryMb,
  processFaultedMb,
  threadAccounts,
} from '../isolates/thread-accounts.ts';
import { UnaccountedMemory } from '../isolates/unaccounted-memory.ts';
import type { Logger } from '../telemetry/daemon-log.ts';
import { memory } from '../telemetry/event-loop.ts';
import { awakeTime } from '../time/awake-time.ts';

const lookMs = 250;
/** Reading every thread's faults costs more than reading the process's memory. */
const leastStepMb = 2;
const looksBetween = 20;
/** A cell with fewer is not what the process lacks descriptors for. */
const leastDescriptors = 32;

export class ProcessWatch {
  readonly #log: Logger;
  readonly #memory: UnaccountedMemory;
  readonly #reserve = new DescriptorReserve();
  readonly #timer: NodeJS.Timeout;
  #lastRssMb = 0;
  #looks = 0;
  #firstMappedMb: number | undefined;

  constructor(limits: { readonly daemonRssMb: number }, log: Logger) {
    this.#log = log;
    this.#memory = new UnaccountedMemory(limits.daemonRssMb);
    this.#timer = setInterval(() => this.#look(), lookMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#reserve.release();
  }

  /** For the status. */
  descriptors(): { readonly open: number | null; readonly limit: number | null } {
    const { limit } = this.#reserve;
    return { open: this.#reserve.open() ?? null, limit: Number.isFinite(limit) ? limit : null };
  }

  #look(): void {
    this.#lookAtDescriptors();
    this.#lookAtMemory();
  }

  #lookAtMemory(): void {
    const { rssMb, heapUsedMb, externalMb } = memory();
    this.#looks += 1;
    const still = Math.abs(rssMb - this.#lastRssMb) < leastStepMb && !this.#memory.unsure;
    if (still && this.#looks % looksBetween !== 0) return;
    this.#lastRssMb = rssMb;
    const suspect = this.#memory.look(threadAccounts, {
      nowMs: awakeTime.nowMs(),
      rssMb: rssMb - this.#mappedFilesMb(),
      hostMb: heapUsedMb + externalMb,
      poolFaultedMb: this.#poolFaultedMb(),
      faultedMb: (account) => faultedMb(account.osThread),
      ranMs: (account) => threadTimes(account.osThread)?.ranMs ?? 0,
    });
    if (suspect === undefined) return;
    this.#log.error({ rssMb: Math.round(rssMb) }, `a cell is ended for its memory: ${suspect.what}`);
    suspect.account.end('memory', suspect.what);
  }

  /** Pages of the store's file are resident while it is read, and the system takes them back when it needs them. */
  #mappedFilesMb(): number {
    const mappedMb = mappedMemoryMb();
    this.#firstMappedMb ??= mappedMb;
    return Math.max(0, mappedMb - this.#firstMappedMb);
  }

  /** Threads that have ended count as the pool's, for once each. */
  #poolFaultedMb(): number {
    let ofOthersMb = faultedMb(process.pid);
    for (const { osThread } of threadAccounts) ofOthersMb += faultedMb(osThread);
    return processFaultedMb() - ofOthersMb;
  }

  /** What the cells tell of themselves comes up to half a second late. */
  #lookAtDescriptors(): void {
    const began = this.#reserve.look();
    if (!this.#reserve.short) return;
    const { limit } = this.#reserve;
    const shortage = `the daemon's process has nearly all of its ${String(limit)} descriptors open`;
    if (began) this.#log.error({ limit }, `${shortage}; the cell that has most of them is going to be ended`);
    const most = [...threadAccounts].reduce<ThreadAccount | undefined>(
      (best, account) => (account.descriptors > (best?.descriptors ?? leastDescriptors) ? account : best),
      undefined,
    );
    most?.end('descriptors', `${shortage}, and this cell has ${String(most.descriptors)} of them, more than any other`);
  }
}
