// What every thread that runs a plugin's code is watched for, whichever kind of cell it is: its memory, its processor
// time and its priority.
import type { Worker } from 'node:worker_threads';
import type { PlainError } from '../../protocol/cell/plain-error.ts';
import { type CellPart, type ThreadMeter, cellMeters } from './cell-meters.ts';
import type { ThreadLimit } from './thread-accounts.ts';
import { type MemoryOwner, type MemoryRegister, type ThreadBounds, ThreadMemory } from './thread-memory.ts';
import { ThreadPriority } from './thread-priority.ts';
import { type Whereabouts, stackText, whereText } from './whereabouts.ts';

/** Less than this is housekeeping. */
const leastActiveMs = 1;

/** What the event loop of the thread did since the last look. */
export interface LoopTimes {
  readonly activeMs: number;
  readonly idleMs: number;
}

export const limitReasons = { memory: 'heap_limit', descriptors: 'descriptor_limit' } as const;
export const limitErrors: Readonly<Record<ThreadLimit, string>> = {
  memory: 'MemoryLimit',
  descriptors: 'DescriptorLimit',
};

export class WatchedThread {
  readonly #worker: Worker;
  readonly #register: MemoryRegister;
  readonly #memory: ThreadMemory;
  readonly #meter: ThreadMeter;
  readonly #priority = new ThreadPriority();
  #loop: ReturnType<Worker['performance']['eventLoopUtilization']>;

  constructor(worker: Worker, register: MemoryRegister, bounds: ThreadBounds, part: CellPart, owner: MemoryOwner) {
    this.#worker = worker;
    this.#register = register;
    this.#memory = new ThreadMemory(worker, register, bounds, owner);
    this.#loop = worker.performance.eventLoopUtilization();
    const { threadId } = worker;
    this.#meter = cellMeters.beginThread(threadId, this.#memory.plugin, part, {
      osThread: () => register.osThread,
      figures: () => ({ heapUsedMb: register.heapUsedMb, offHeapMb: register.externalMb }),
      loop: () => worker.performance.eventLoopUtilization(),
    });
    worker.once('exit', () => cellMeters.endThread(threadId));
  }

  /** Undefined where the thread has rested. */
  look(nowMs: number): LoopTimes | undefined {
    const loop = this.#worker.performance.eventLoopUtilization();
    const activeMs = loop.active - this.#loop.active;
    const idleMs = loop.idle - this.#loop.idle;
    this.#loop = loop;
    const active = activeMs >= leastActiveMs;
    this.#meter.looked(nowMs, active);
    if (active) {
      this.#memory.look(activeMs);
      return { activeMs, idleMs };
    }
    this.#priority.look(this.#register.osThread, undefined);
    this.#memory.judgeReport();
    return undefined;
  }

  /** With what the thread is at, as `ThreadPriority` has it. True when its priority has just been lowered. */
  lookAtPriority(at: number | undefined): boolean {
    return this.#priority.look(this.#register.osThread, at);
  }

  /** It is about to be ended. */
  measure(): void {
    this.#meter.sample();
  }

  stop(): void {
    this.#memory.stop();
  }
}

/** Why a thread is ended for a bound of its own, and where it was. */
export async function oversteppedError(
  name: string,
  what: string,
  locate: () => Whereabouts | Promise<Whereabouts>,
): Promise<PlainError> {
  const where = await locate();
  const place = whereText(where);
  const message = place === '' ? what : `${what}; it was ${place}`;
  const stack = stackText(`${name}: ${message}`, where);
  return { name, message, ...(stack === undefined ? {} : { stack }) };
}
