// Keeps some of the process's descriptors back. When plugins have taken all others, the daemon could neither take new
// clients in nor say what is wrong; the reserve is opened in advance and let go of at that moment.
import { closeSync, openSync, readFileSync, readdirSync, statSync } from 'node:fs';

export const reservedDescriptors = 32;
/** Below this many free ones the process is short of them. */
const shortBelow = 64;

export class DescriptorReserve {
  readonly limit: number;
  #reserve: number[] = [];
  #short = false;

  constructor(limit: number = openFilesLimit()) {
    this.limit = limit;
    this.#fill();
  }

  get short(): boolean {
    return this.#short;
  }

  /** Answers true when the process has just become short of descriptors; the reserve is free then. */
  look(): boolean {
    // What the reserve gave back must not pass for room.
    const lowest = lowestFree(this.#short ? probes + 2 * reservedDescriptors : probes);
    const short = lowest === undefined || lowest >= this.limit - shortBelow;
    const began = short && !this.#short;
    this.#short = short;
    if (short) this.release();
    else if (this.#reserve.length < reservedDescriptors && lowest < this.limit - shortBelow - 2 * reservedDescriptors)
      this.#fill();
    return began;
  }

  /** How many are open, the reserve included; undefined where the system does not tell. */
  open(): number | undefined {
    try {
      // Linux tells the number as the folder's size since 6.2; before, it is 0 and they are counted.
      return statSync('/proc/self/fd').size || readdirSync('/proc/self/fd').length;
    } catch {
      // No /proc, or not even one is left to look with.
      return undefined;
    }
  }

  release(): void {
    for (const descriptor of this.#reserve) closeSync(descriptor);
    this.#reserve = [];
  }

  #fill(): void {
    try {
      while (this.#reserve.length < reservedDescriptors) this.#reserve.push(openSync('/dev/null', 'r'));
    } catch {
      // None is left for it now; the next look tries again.
    }
  }
}

/** A few numbers may be free among many that are taken. */
const probes = 8;

/**
 * The highest of the lowest free numbers: the system gives the lowest first, so that a high one says how many are
 * taken.
 */
function lowestFree(count: number): number | undefined {
  const opened: number[] = [];
  try {
    while (opened.length < count) opened.push(openSync('/dev/null', 'r'));
    return opened.at(-1);
  } catch {
    // Fewer than that are free.
    return undefined;
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
}

function openFilesLimit(): number {
  try {
    const [, soft = ''] = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return Number(soft) || Infinity;
  } catch {
    // Not Linux: only a failing open tells.
    return Infinity;
  }
}
