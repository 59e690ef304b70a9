// The calls of one plugin that run in one kind of pool: who waits, who runs, and what happens to the cell of a call
// that was given up. The pool itself is made at the first call, so that a plugin whose tools rest costs nothing.
import { HostError } from '../../protocol/errors.ts';
import type { Clock, Timer } from '../clock.ts';
import { CallQueue } from './call-queue.ts';
import type { PendingCall } from './pending-call.ts';
import { crashed, neverBegan, overloaded, refusedByCell } from './tool-errors.ts';
import type { RunEnd, ToolPool } from './tool-pool.ts';

export interface LaneParts {
  readonly clock: Clock;
  readonly threads: number;
  readonly abortGraceMs: number;
  /** The waiting calls of all lanes of the plugin share this bound. */
  readonly mayWait: () => boolean;
  readonly makePool: () => Promise<ToolPool>;
}

/** A call that was handed over and has not begun after this is taken back and handed over again. */
const stallMs = 1000;
/** A call whose cell ended before it had begun there is tried again this often in all. */
const maxRuns = 3;
const leastRetryMs = 10;
/** The weight of the latest call in the running mean of how long calls take. */
const latestWeight = 0.2;

export class ToolLane {
  readonly #parts: LaneParts;
  readonly #queue: CallQueue<PendingCall>;
  /** Begun and not yet out of their cells, be they answered or not. */
  readonly #running: PendingCall[] = [];
  #poolPromise: Promise<ToolPool | undefined> | undefined;
  #pool: ToolPool | undefined;
  #meanMs: number | undefined;
  #stallWatch: Timer | undefined;
  #closed = false;

  constructor(parts: LaneParts) {
    this.#parts = parts;
    this.#queue = new CallQueue(parts.threads);
  }

  get waiting(): number {
    return this.#queue.waiting;
  }

  get cells(): number {
    return this.#pool?.cells ?? 0;
  }

  /** Refuses a call that could neither begin nor wait. */
  requireRoom(toolName: string): void {
    if (this.#queue.admits(toolName) && this.#hasRoom()) return;
    if (!this.#parts.mayWait()) throw overloaded(toolName, this.#queue.waiting, this.#retryAfterMs());
  }

  add(call: PendingCall): void {
    this.#queue.add(call);
    this.pump();
  }

  /** Its caller has been answered: it leaves the queue, or its cell gets a short grace and is ended. */
  giveUp(call: PendingCall, reason: string): void {
    if (this.#queue.remove(call)) return;
    const { run } = call;
    if (run === undefined || !this.#running.includes(call)) return;
    if (run.phase === 'queued') {
      run.kill();
      return;
    }
    run.abort(reason);
    this.#parts.clock.after(this.#parts.abortGraceMs, () => run.kill());
  }

  /** Lets begin whoever may. */
  readonly pump = (): void => {
    while (!this.#closed && this.#hasRoom()) {
      const call = this.#queue.next();
      if (call === undefined) return;
      this.#running.push(call);
      if (this.#pool === undefined) void this.#beginInNewPool(call);
      else this.#begin(this.#pool, call);
    }
  };

  async close(deadlineMs: number, reason: string): Promise<void> {
    this.#closed = true;
    this.#stallWatch?.cancel();
    for (const call of [...this.#queue.everyone(), ...this.#running]) call.cancel(reason);
    // A pool that is still being made has no cells yet, and gets no call any more.
    await this.#pool?.close(deadlineMs);
  }

  /** Threads that do not end are bounded too: as many as may run may be stuck beside them, then calls wait. */
  #hasRoom(): boolean {
    return this.#pool === undefined || this.#pool.livingCells <= this.#parts.threads * 2 + 1;
  }

  async #beginInNewPool(call: PendingCall): Promise<void> {
    this.#poolPromise ??= this.#makePool();
    const pool = await this.#poolPromise;
    if (pool !== undefined) this.#begin(pool, call);
    else this.#ended(call, { kind: 'lost', error: { name: 'PoolError', message: 'the pool could not be made' } });
  }

  async #makePool(): Promise<ToolPool | undefined> {
    try {
      this.#pool = await this.#parts.makePool();
      return this.#pool;
    } catch (thrown) {
      this.#poolPromise = undefined;
      for (const call of this.#running) call.fail(new HostError('internal', `The tool pool could not be made: ${thrown instanceof Error ? thrown.message : 'no reason given'}`));
      return undefined;
    }
  }

  #begin(pool: ToolPool, call: PendingCall): void {
    if (call.answered || this.#closed) {
      this.#ended(call, { kind: 'killed' });
      return;
    }
    call.runs += 1;
    call.handedOverMs = this.#parts.clock.monotonicMs();
    call.run = pool.run(call.task, (end) => this.#ended(call, end));
    this.#stallWatch ??= this.#parts.clock.after(stallMs / 2, this.#watchForStalls);
  }

  /** What an earlier call left looping in a cell would otherwise cost the next one its whole deadline. */
  readonly #watchForStalls = (): void => {
    this.#stallWatch = undefined;
    const stalledSinceMs = this.#parts.clock.monotonicMs() - stallMs;
    for (const call of [...this.#running]) {
      if (call.run?.phase === 'queued' && !call.answered && call.runs < maxRuns && call.handedOverMs <= stalledSinceMs) call.run.retract();
    }
    if (this.#running.length > 0 && !this.#closed) this.#stallWatch ??= this.#parts.clock.after(stallMs / 2, this.#watchForStalls);
  };

  #ended(call: PendingCall, end: RunEnd): void {
    if (end.kind === 'lost' && call.runs < maxRuns && !call.answered && !this.#closed && this.#pool !== undefined) {
      this.#begin(this.#pool, call);
      return;
    }
    this.#running.splice(this.#running.indexOf(call), 1);
    this.#queue.ended(call);
    if (call.runs > 0) this.#learn(this.#parts.clock.monotonicMs() - call.handedOverMs);
    settle(call, end);
    this.pump();
  }

  #learn(ranMs: number): void {
    this.#meanMs = this.#meanMs === undefined ? ranMs : this.#meanMs + (ranMs - this.#meanMs) * latestWeight;
  }

  /** When a thread is likely to come free: by what calls usually take, and at the first deadline at the latest. */
  #retryAfterMs(): number {
    const nowMs = this.#parts.clock.monotonicMs();
    let soonestMs = this.#meanMs === undefined ? Infinity : this.#meanMs / this.#parts.threads;
    for (const call of this.#running) soonestMs = Math.min(soonestMs, call.deadlineMs - nowMs);
    return Math.ceil(Math.max(leastRetryMs, Number.isFinite(soonestMs) ? soonestMs : 0));
  }
}

function settle(call: PendingCall, end: RunEnd): void {
  switch (end.kind) {
    case 'answered':
      if (end.answer.ok) call.succeed({ outputJson: end.answer.json, durationMs: end.answer.durationMs });
      else call.fail(refusedByCell(call.toolName, end.answer));
      return;
    case 'crashed':
      call.fail(crashed(call.toolName, end));
      return;
    case 'lost':
      call.fail(neverBegan(call.toolName, end));
      return;
    case 'killed':
      // Only a call that was given up is killed, and it was answered before.
      return;
  }
}
