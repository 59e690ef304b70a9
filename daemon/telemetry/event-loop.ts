// How the host's main thread is doing: how late its timers come, and what memory the process holds. The first figure
// to look at when something feels slow, because no plugin code runs there and nothing may block it.
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';

/** How often the thread is looked at: a finer look costs an idle daemon more wake-ups. */
const resolutionMs = 20;
const defaultWindowMs = 60_000;

export interface EventLoopDelay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/**
 * The delay over the recent past: two histograms run side by side, each is emptied once a window, half a window apart,
 * and the older one answers. So a figure covers at least the last half window and at most the whole of it, and a
 * stall is forgotten after at most one window.
 */
export class EventLoopMonitor {
  readonly #timer: NodeJS.Timeout;
  #older: IntervalHistogram;
  #newer: IntervalHistogram;

  constructor(windowMs: number = defaultWindowMs) {
    this.#older = monitorEventLoopDelay({ resolution: resolutionMs });
    this.#newer = monitorEventLoopDelay({ resolution: resolutionMs });
    this.#older.enable();
    this.#newer.enable();
    this.#timer = setInterval(() => this.#turn(), windowMs / 2);
    this.#timer.unref();
  }

  delay(): EventLoopDelay {
    const { count, max } = this.#older;
    // Before the first sample the histogram's own figures mean nothing.
    if (count === 0) return { p50: 0, p99: 0, max: 0 };
    return {
      p50: aboveResolution(this.#older.percentile(50)),
      p99: aboveResolution(this.#older.percentile(99)),
      max: aboveResolution(max),
    };
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#older.disable();
    this.#newer.disable();
  }

  #turn(): void {
    const emptied = this.#older;
    emptied.reset();
    this.#older = this.#newer;
    this.#newer = emptied;
  }
}

/** A sample is the time between two looks: on time it is the resolution itself, which is no delay. */
function aboveResolution(nanoseconds: number): number {
  return Math.round(Math.max(0, nanoseconds / 1e6 - resolutionMs) * 10) / 10;
}

export interface Memory {
  readonly rssMb: number;
  readonly heapUsedMb: number;
  readonly externalMb: number;
}

const mib = 1024 * 1024;
const inMb = (bytes: number): number => Math.round((bytes / mib) * 10) / 10;
let lastRss = 0;

export function memory(): Memory {
  try {
    const { rss, heapUsed, external } = process.memoryUsage();
    lastRss = rss;
    return { rssMb: inMb(rss), heapUsedMb: inMb(heapUsed), externalMb: inMb(external) };
  } catch {
    // The resident size is read from a file, which fails when descriptors have run out: just when somebody asks for
    // the status. The heap is known without; for the rest the last known size is nearer the truth than none.
    const heap = getHeapStatistics();
    return { rssMb: inMb(lastRss), heapUsedMb: inMb(heap.used_heap_size), externalMb: inMb(heap.external_memory) };
  }
}
