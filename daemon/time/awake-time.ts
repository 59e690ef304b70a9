// Time without what the daemon itself slept through. A process that is stopped (SIGSTOP, a paused container, a sleeping
// laptop) finds every deadline passed when it goes on, although nobody had a chance to meet one. So the host measures
// deadlines on a clock that stands while the daemon does: this is the one place that notices and corrects it.
import { readFileSync } from 'node:fs';
import { monotonicMs } from '../../protocol/cell/register.ts';
import type { Timer } from './clock.ts';

/** A shorter gap is a slow turn or a busy machine, which deadlines have to allow for. */
export const leastStandstillMs = 1000;
/** How often the host notes that it is awake. */
const beatMs = 100;
/** Timers may fire a little early or late; what is left over by a standstill is far more. */
const slackMs = 2;
/** Older standstills than these no longer matter to anything that is measured. */
const keptStandstills = 64;

export interface Standstill {
  readonly ms: number;
  /** On the clock that goes on meanwhile. */
  readonly beganMs: number;
  readonly endedMs: number;
}

export interface TimeSource {
  /** The clock that cells share; it goes on while the process is stopped. */
  nowMs(): number;
  /** How long the host's thread has run so far; undefined where the system does not tell. */
  ranMs(): number | undefined;
  setTimer(run: () => void, delayMs: number): NodeJS.Timeout;
}

class AwakeTimer implements Timer {
  readonly #time: AwakeTime;
  readonly #run: () => void;
  readonly #dueMs: number;
  #timer: NodeJS.Timeout;
  #referenced = true;

  constructor(time: AwakeTime, delayMs: number, run: () => void) {
    this.#time = time;
    this.#run = run;
    this.#dueMs = time.nowMs() + delayMs;
    this.#timer = time.source.setTimer(this.#fire, delayMs);
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }

  unref(): this {
    this.#referenced = false;
    this.#timer.unref();
    return this;
  }

  readonly #fire = (): void => {
    const leftMs = this.#dueMs - this.#time.nowMs();
    if (leftMs <= slackMs) {
      this.#run();
      return;
    }
    this.#timer = this.#time.source.setTimer(this.#fire, leftMs);
    if (!this.#referenced) this.#timer.unref();
  };
}

export class AwakeTime {
  readonly source: TimeSource;
  #standstills: Standstill[] = [];
  #count = 0;
  #stoodMs = 0;
  #seenMs: number;
  #ranMs: number | undefined;
  #beat: NodeJS.Timeout | undefined;
  #tell: ((standstill: Standstill) => void) | undefined;

  constructor(source: TimeSource) {
    this.source = source;
    this.#seenMs = source.nowMs();
    this.#ranMs = source.ranMs();
  }

  /** From here on standstills are noticed; `tell` is called for each. */
  watch(tell: (standstill: Standstill) => void): void {
    this.#tell = tell;
    this.#seenMs = this.source.nowMs();
    this.#ranMs = this.source.ranMs();
    this.#beat ??= setInterval(() => this.#note(), beatMs).unref();
  }

  unwatch(): void {
    clearInterval(this.#beat);
    this.#beat = undefined;
  }

  get count(): number {
    return this.#count;
  }

  /** Of all standstills together. */
  get stoodMs(): number {
    return this.#stoodMs;
  }

  /** Never goes back, and stands while the daemon does. */
  nowMs(): number {
    return this.#awake() - this.#stoodMs;
  }

  after(delayMs: number, run: () => void): AwakeTimer {
    return new AwakeTimer(this, delayMs, run);
  }

  /** An instant of the clock that cells share, on this one. */
  fromCellMs(atMs: number): number {
    if (this.#count === 0) return atMs;
    let stoodAfterMs = 0;
    for (let at = this.#standstills.length - 1; at >= 0; at -= 1) {
      const { beganMs, endedMs, ms } = this.#standstills[at] as Standstill;
      if (endedMs <= atMs) break;
      stoodAfterMs += atMs > beganMs ? endedMs - atMs : ms;
    }
    return atMs - (this.#stoodMs - stoodAfterMs);
  }

  /** How long ago an instant of this clock is on the clock that goes on. */
  elapsedMs(sinceMs: number): number {
    const nowMs = this.nowMs();
    let stoodSinceMs = 0;
    let stoodBeforeMs = this.#stoodMs;
    for (let at = this.#standstills.length - 1; at >= 0; at -= 1) {
      const { beganMs, ms } = this.#standstills[at] as Standstill;
      stoodBeforeMs -= ms;
      if (beganMs - stoodBeforeMs < sinceMs) break;
      stoodSinceMs += ms;
    }
    return nowMs - sinceMs + stoodSinceMs;
  }

  /** A duration that a cell measured and has just reported, without the standstills that lie within it. */
  awakeOf(durationMs: number): number {
    if (durationMs < leastStandstillMs || this.#count === 0) return durationMs;
    const beganMs = this.#awake() - durationMs;
    let awakeMs = durationMs;
    for (let at = this.#standstills.length - 1; at >= 0; at -= 1) {
      const standstill = this.#standstills[at] as Standstill;
      if (standstill.beganMs < beganMs) break;
      awakeMs -= standstill.ms;
    }
    return Math.max(0, awakeMs);
  }

  /** What is now on the clock that goes on; a gap since the last look is a standstill. */
  #awake(): number {
    const nowMs = this.source.nowMs();
    if (nowMs - this.#seenMs > leastStandstillMs && this.#beat !== undefined) this.#noticeGap(nowMs);
    this.#seenMs = nowMs;
    return nowMs;
  }

  #note(): void {
    this.#awake();
    this.#ranMs = this.source.ranMs();
  }

  /** A host that computed meanwhile did not stand still: its plugins ran too, and had their time. */
  #noticeGap(nowMs: number): void {
    const ranMs = this.source.ranMs();
    const computedMs = ranMs === undefined || this.#ranMs === undefined ? 0 : ranMs - this.#ranMs;
    const ms = nowMs - this.#seenMs - beatMs / 2 - computedMs;
    this.#ranMs = ranMs;
    if (ms < leastStandstillMs) return;
    const standstill: Standstill = { ms, beganMs: nowMs - ms, endedMs: nowMs };
    this.#standstills = [...this.#standstills.slice(1 - keptStandstills), standstill];
    this.#count += 1;
    this.#stoodMs += ms;
    this.#tell?.(standstill);
  }
}

const nanosecondsInMs = 1e6;

function hostRanMs(): number | undefined {
  try {
    const ran = Number(readFileSync(`/proc/self/task/${String(process.pid)}/schedstat`, 'utf8').split(' ')[0]);
    return ran > 0 ? ran / nanosecondsInMs : undefined;
  } catch {
    // No /proc, or no descriptor is left.
    return undefined;
  }
}

/** Of this process. */
export const awakeTime = new AwakeTime({
  nowMs: monotonicMs,
  ranMs: hostRanMs,
  setTimer: (run, delayMs) => setTimeout(run, delayMs),
});
