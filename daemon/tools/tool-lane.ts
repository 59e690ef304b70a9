// The calls of one plugin that run in one kind of pool: who waits, who runs, and what happens to the cell of a call
// that was given up. The pool itself is made at the first call, so that a plugin whose tools rest costs nothing.
import type { ToolAnswer } from '../../protocol/cell/tool-messages.ts';
import { HostError } from '../../protocol/errors.ts';
import type { Clock, Timer } from '../time/clock.ts';
import { CallBatch } from './call-batch.ts';
import { CallQueue } from './call-queue.ts';
import type { PendingCall } from './pending-call.ts';
import { crashed, neverBegan, overloaded, refusedByCell } from './tool-errors.ts';
import { ToolPace } from './tool-pace.ts';
import type { RunEnd, ToolPool } from './pools/tool-pool.ts';

export interface LaneParts {
  readonly clock: Clock;
  readonly threads: number;
  readonly abortGraceMs: number;
  /** Whether calls wait at first. */
  readonly held: boolean;
  /** The waiting calls of all lanes of the plugin share this bound. */
  readonly mayWait: () => boolean;
  readonly makePool: () => Promise<ToolPool>;
}

/** A cell that was given calls and is at none of them for so long has something else to do. */
const stallMs = 1000;
/** Where several calls are in one cell, answers are looked for, and those behind a slow one taken back, this often. */
const lookMs = 2;
/** A call whose cell ended before anything had begun there is tried again this often in all. */
const maxRuns = 3;
const leastRetryMs = 10;

export class ToolLane {
  readonly #parts: LaneParts;
  readonly #queue: CallQueue<PendingCall>;
  readonly #pace = new ToolPace();
  /** Begun and not yet out of their cells, be they answered or not. */
  readonly #running: CallBatch[] = [];
  /** Those of them that are handed over when all that arrives in this turn is there. */
  #opened: CallBatch[] = [];
  #poolPromise: Promise<ToolPool | undefined> | undefined;
  #pool: ToolPool | undefined;
  #stallWatch: Timer | undefined;
  #look: Timer | undefined;
  #closed = false;
  #whenEmpty: (() => void) | undefined;
  #held: boolean;

  constructor(parts: LaneParts) {
    this.#parts = parts;
    this.#held = parts.held;
    this.#queue = new CallQueue(parts.threads);
  }

  /** Those that went along with another to its cell wait as well, until it is their turn there. */
  get waiting(): number {
    let waiting = this.#queue.waiting;
    for (const batch of this.#running) waiting += batch.behind;
    return waiting;
  }

  get cells(): number {
    return this.#pool?.cells ?? 0;
  }

  get leftBehind(): number {
    return this.#pool?.leftBehind ?? 0;
  }

  /** Refuses a call that could neither begin nor wait. */
  requireRoom(toolName: string): void {
    if (!this.#held && this.#queue.admits(toolName) && this.#hasRoom()) return;
    if (!this.#parts.mayWait()) throw overloaded(toolName, this.waiting, this.#retryAfterMs(toolName));
  }

  add(call: PendingCall): void {
    this.#queue.add(call);
    this.pump();
  }

  /** Its caller has been answered: it leaves the queue, or its cell gets a short grace and is ended. */
  giveUp(call: PendingCall, reason: string): void {
    if (this.#queue.remove(call)) return;
    const batch = this.#running.find(({ open }) => open.includes(call));
    const run = batch?.run;
    if (batch === undefined || run === undefined) return;
    this.#takeBack(batch);
    const given = batch.open.includes(call);
    const phase = run.phaseOf(call.task.call);
    if (given && (phase === 'queued' || phase === 'starting')) {
      run.kill();
    } else if (given || batch.open.length === 0) {
      // A cell that comes round in time to find that nothing is left for it may go on.
      if (given) run.abort(call.task.call, reason);
      this.#parts.clock.after(this.#parts.abortGraceMs, () => run.kill());
    }
    this.pump();
  }

  /** While it is held no call begins. */
  hold(held: boolean): void {
    this.#held = held;
    this.pump();
  }

  /** Lets begin whoever may. */
  readonly pump = (): void => {
    while (!this.#closed && !this.#held && this.#hasRoom()) {
      const call = this.#queue.next();
      if (call === undefined) return;
      const batch = new CallBatch(call);
      this.#running.push(batch);
      if (this.#opened.push(batch) === 1) this.#parts.clock.soon(this.#handOver);
    }
  };

  async close(deadlineMs: number, reason: string): Promise<void> {
    this.#closed = true;
    this.#stallWatch?.cancel();
    this.#look?.cancel();
    for (const call of [...this.#queue.everyone(), ...this.#running.flatMap(({ open }) => [...open])])
      call.cancel(reason);
    const graceMs = Math.min(this.#parts.abortGraceMs, deadlineMs / 2);
    const { clock } = this.#parts;
    const beganMs = clock.monotonicMs();
    if (this.#running.length > 0) await this.#emptied(graceMs);
    // A pool that is still being made has no cells yet, and gets no call any more.
    await this.#pool?.close(deadlineMs - (clock.monotonicMs() - beganMs));
  }

  /** What runs has heard that it is to end: its cells are ended when it has, or when its grace is over. */
  #emptied(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#parts.clock.after(withinMs, resolve);
      this.#whenEmpty = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  /** Threads that do not end are bounded too: as many as may run may be stuck beside them, then calls wait. */
  #hasRoom(): boolean {
    return this.#pool === undefined || this.#pool.livingCells <= this.#parts.threads * 2 + 1;
  }

  readonly #handOver = (): void => {
    const opened = this.#withoutSpare(this.#opened);
    this.#opened = [];
    for (const [at, batch] of opened.entries()) {
      const sharers = opened.slice(at).filter(({ toolName }) => toolName === batch.toolName).length;
      if (this.#pool === undefined) void this.#beginInNewPool(batch);
      else this.#begin(this.#pool, batch, sharers);
    }
  };

  /** To wake another thread for calls that are through sooner than it is awake helps nobody: these wait again. */
  #withoutSpare(opened: readonly CallBatch[]): readonly CallBatch[] {
    if (opened.length === 1 || this.#pool === undefined) return opened;
    const most = this.#pool.callsAtOnce;
    const kept = new Map<string, number>();
    const spare = new Set<CallBatch>();
    for (const batch of opened) {
      const { toolName } = batch;
      const others = kept.get(toolName) ?? 0;
      if (others > 0 && others * Math.min(most, this.#pace.perWakeUp(toolName)) >= this.#inThisTurn(opened, toolName))
        spare.add(batch);
      else kept.set(toolName, others + 1);
    }
    for (const batch of spare) {
      this.#running.splice(this.#running.indexOf(batch), 1);
      this.#queue.ended(batch);
    }
    this.#queue.putBack([...spare].flatMap(({ open }) => open.filter(({ answered }) => !answered)));
    return opened.filter((batch) => !spare.has(batch));
  }

  #inThisTurn(opened: readonly CallBatch[], name: string): number {
    return opened.filter(({ toolName }) => toolName === name).length + this.#queue.waitingOf(name);
  }

  async #beginInNewPool(batch: CallBatch): Promise<void> {
    for (const call of batch.open) call.handOver(this.#parts.clock.monotonicMs());
    this.#poolPromise ??= this.#makePool();
    const pool = await this.#poolPromise;
    if (pool !== undefined) this.#begin(pool, batch, 1);
    else this.#ended(batch, { kind: 'lost', error: { name: 'PoolError', message: 'the pool could not be made' } });
  }

  async #makePool(): Promise<ToolPool | undefined> {
    try {
      this.#pool = await this.#parts.makePool();
      return this.#pool;
    } catch (thrown) {
      this.#poolPromise = undefined;
      const error = new HostError(
        'internal',
        `The tool pool could not be made: ${thrown instanceof Error ? thrown.message : 'no reason given'}`,
      );
      for (const batch of this.#running) for (const call of batch.open) call.fail(error);
      return undefined;
    }
  }

  /** `sharers`: among how many batches the calls that wait are to be divided. */
  #begin(pool: ToolPool, batch: CallBatch, sharers: number): void {
    if (this.#closed || batch.open.some(({ answered }) => answered)) {
      this.#ended(batch, { kind: 'killed' });
      return;
    }
    const share = Math.ceil((this.#queue.waitingOf(batch.toolName) + 1) / sharers);
    const size = Math.min(share, pool.callsAtOnce, this.#pace.together(batch.toolName));
    while (batch.open.length < size) {
      const call = this.#queue.takeSameTool(batch.toolName);
      if (call === undefined) break;
      batch.open.push(call);
    }
    const { clock } = this.#parts;
    const run = pool.run(
      batch.open.map(({ task }) => task),
      {
        answered: (call, answer) => this.#answered(batch, call, answer),
        progressed: (number, progress) => batch.open.find(({ task }) => task.call === number)?.progressed(progress),
        ended: (end) => this.#ended(batch, end),
      },
    );
    batch.handedOver(run, clock.monotonicMs());
    this.#stallWatch ??= clock.after(stallMs / 2, this.#watchForStalls);
    if (batch.behind > 0) this.#look ??= clock.after(lookMs, this.#lookAtBatches);
  }

  /** A call that takes long keeps back neither the answers before it nor the calls behind it. */
  readonly #lookAtBatches = (): void => {
    this.#look = undefined;
    const stoodSinceMs = this.#parts.clock.monotonicMs() - lookMs;
    for (const batch of [...this.#running]) {
      if (batch.behind === 0) continue;
      batch.run?.shared?.collect();
      // While no other thread is free they wait as well where they are.
      if (batch.movedMs > stoodSinceMs || !this.#queue.hasThreadFor(batch.toolName)) continue;
      this.#takeBack(batch);
      this.pump();
    }
    if (this.#running.some(({ behind }) => behind > 0) && !this.#closed)
      this.#look ??= this.#parts.clock.after(lookMs, this.#lookAtBatches);
  };

  /** What has not begun waits again, before all others of its tool. */
  #takeBack(batch: CallBatch): void {
    batch.run?.shared?.collect();
    const calls = batch.takeBack(batch.run?.shared?.withdraw() ?? 0, this.#parts.clock.monotonicMs());
    this.#queue.putBack(calls.filter(({ answered }) => !answered));
  }

  /** What an earlier call left looping in a cell would otherwise cost the next one its whole deadline. */
  readonly #watchForStalls = (): void => {
    this.#stallWatch = undefined;
    const stalledSinceMs = this.#parts.clock.monotonicMs() - stallMs;
    for (const batch of [...this.#running]) {
      const shared = batch.run?.shared;
      shared?.collect();
      if (
        shared?.busy === false &&
        batch.movedMs <= stalledSinceMs &&
        batch.open.every(({ losses }) => losses < maxRuns - 1)
      )
        shared.retract();
    }
    if (this.#running.length > 0 && !this.#closed)
      this.#stallWatch ??= this.#parts.clock.after(stallMs / 2, this.#watchForStalls);
  };

  #answered(batch: CallBatch, number: number, answer: ToolAnswer): void {
    const call = batch.settle(number, this.#parts.clock.monotonicMs());
    if (call === undefined) return;
    const durationMs = this.#parts.clock.awakeOf(answer.durationMs);
    this.#pace.learn(batch.toolName, durationMs);
    if (answer.ok) call.succeed({ outputJson: answer.json, durationMs });
    else call.fail(refusedByCell(call.toolName, answer));
  }

  #ended(batch: CallBatch, end: RunEnd): void {
    this.#running.splice(this.#running.indexOf(batch), 1);
    this.#queue.ended(batch);
    const nowMs = this.#parts.clock.monotonicMs();
    if (batch.run !== undefined && end.kind !== 'over') this.#pace.learn(batch.toolName, nowMs - batch.handedOverMs);
    if (end.kind === 'crashed') batch.open.shift()?.fail(crashed(batch.toolName, end));
    const again: PendingCall[] = [];
    for (const call of batch.open) {
      call.comeBack(nowMs);
      if (end.kind === 'lost' && batch.noProgress) call.losses += 1;
      if (call.losses >= maxRuns && end.kind === 'lost') call.fail(neverBegan(call.toolName, end));
      else if (!call.answered) again.push(call);
    }
    this.#queue.putBack(again);
    if (this.#running.length === 0) this.#whenEmpty?.();
    this.pump();
  }

  /** When a thread is likely to come free: by what calls usually take, and at the first deadline at the latest. */
  #retryAfterMs(toolName: string): number {
    const nowMs = this.#parts.clock.monotonicMs();
    let soonestMs = (this.#pace.meanMs(toolName) ?? Infinity) / this.#parts.threads;
    for (const { open } of this.#running)
      for (const call of open) soonestMs = Math.min(soonestMs, call.deadlineMs - nowMs);
    return Math.ceil(Math.max(leastRetryMs, Number.isFinite(soonestMs) ? soonestMs : 0));
  }
}
