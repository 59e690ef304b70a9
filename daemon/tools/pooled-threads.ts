// "pooled": piscina's threads, kept warm between calls and ended when idle. Each thread brings a private port and a
// register of its own, so that the host can tell which thread is at which call without asking.
import type { Piscina } from 'piscina';
import type { Worker } from 'node:worker_threads';
import { type PlainError, flattenError } from '../../protocol/cell/plain-error.ts';
import type { ToolCellMessage, ToolCrashMessage, ToolTask } from '../../protocol/cell/tool-messages.ts';
import { ToolRegister } from '../../protocol/cell/tool-register.ts';
import { cellEntry } from '../cells/entries.ts';
import { cellWatch } from '../cells/cell-watch.ts';
import { hardHeapMb } from '../cells/memory-budget.ts';
import { locateThread } from '../cells/stack-capture.ts';
import { threadInspector } from '../cells/thread-inspector.ts';
import { endsWhenRead } from '../cells/unread-files.ts';
import type { Whereabouts } from '../cells/whereabouts.ts';
import { KillSwitch } from './kill-switch.ts';
import { LivingCells } from './living-cells.ts';
import { Seat } from './seat.ts';
import { stalled, strayCrash, threadEnd } from './thread-end.ts';
import { isSeatMessage, isToolAnswer } from './tool-message.ts';
import { ToolThreadWatch } from './tool-thread-watch.ts';
import { type CallPhase, type PoolListener, type PoolRun, type PoolSpec, type RunEnd, type ToolPool, cellFunction } from './tool-pool.ts';

export async function pooledThreads(spec: PoolSpec, listener: PoolListener): Promise<ToolPool> {
  const { Piscina } = await import('piscina');
  threadInspector.begin();
  const pool = new Piscina({
    filename: cellEntry('tool-cell').href,
    name: cellFunction,
    minThreads: 0,
    maxThreads: spec.maxCells,
    idleTimeout: spec.limits.toolIdleMs,
    // The default stops the timers of an idle thread and hands its late errors to the next call.
    atomics: 'disabled',
    recordTiming: false,
    trackUnmanagedFds: true,
    argv: [],
    execArgv: [...spec.execArgv],
    env: { ...spec.env },
    resourceLimits: { maxOldGenerationSizeMb: hardHeapMb(spec.cell.heapMb) },
    workerData: spec.cell,
  });
  return new PooledThreads(pool, spec, listener);
}

class PooledThreads implements ToolPool {
  readonly #pool: Piscina;
  readonly #spec: PoolSpec;
  readonly #listener: PoolListener;
  readonly #living: LivingCells;
  readonly #seats = new Map<number, Seat>();
  readonly #workers = new Map<number, Worker>();
  /** Never more than there are threads. */
  readonly #runs: PooledRun[] = [];

  constructor(pool: Piscina, spec: PoolSpec, listener: PoolListener) {
    this.#pool = pool;
    this.#spec = spec;
    this.#listener = listener;
    this.#living = new LivingCells({ clock: spec.clock, killMs: spec.limits.killMs, troubled: (error) => listener.troubled(error), gone: () => listener.gone() });
    pool.on('message', (message: unknown) => this.#seat(message));
    pool.on('workerCreate', ({ id }: { id: number }) => this.#adopt(id));
    pool.on('workerDestroy', ({ id }: { id: number }) => this.#expectEnd(id));
    pool.on('error', (thrown: unknown) => this.#threadFailed(thrown));
  }

  get livingCells(): number {
    return this.#living.size;
  }

  get cells(): number {
    return this.#living.size + this.#pool.threads.filter((worker) => !this.#living.has(worker)).length;
  }

  run(task: ToolTask, ended: (end: RunEnd) => void): PoolRun {
    const run = new PooledRun(task.call, this, ended);
    this.#runs.push(run);
    cellWatch.wake();
    try {
      this.#pool.run(task, { signal: run.killSwitch }).then(
        (answer: unknown) => run.end(isToolAnswer(answer) ? { kind: 'answered', answer } : threadEnd(new Error('the thread gave no answer'))),
        (thrown: unknown) => this.#failed(run, thrown),
      );
    } catch (thrown) {
      // No thread could be made; the pool still holds the task and must not run it later.
      run.killSwitch.pull();
      queueMicrotask(() => run.end({ kind: 'lost', error: flattenError(thrown) }));
    }
    return run;
  }

  async close(deadlineMs: number): Promise<void> {
    for (const worker of this.#pool.threads) {
      if (!this.#living.has(worker)) this.#living.add(worker, worker.threadId, worker);
      this.#living.expectEnd(worker);
    }
    // Its promise waits for what may never end; the living cells are waited for with a deadline instead.
    void this.#pool.destroy();
    await this.#living.allGone(deadlineMs);
    for (const seat of this.#seats.values()) seat.close();
    this.#seats.clear();
  }

  /** The thread that has begun the call. */
  seatOf(call: number): Seat | undefined {
    for (const seat of this.#seats.values()) {
      if (seat.holds(call)) return seat;
    }
    return undefined;
  }

  locate(call: number, withinMs: number): Promise<Whereabouts> {
    return this.#locate(this.seatOf(call)?.register.threadId ?? 0, withinMs);
  }

  #locate(threadId: number, withinMs: number): Promise<Whereabouts> {
    const worker = this.#workers.get(threadId);
    const osThread = this.#seats.get(threadId)?.register.osThread ?? 0;
    return locateThread(threadId, this.#spec.folder, withinMs, worker === undefined ? {} : { eventLoop: () => worker.performance.eventLoopUtilization(), osThread });
  }

  #runOf(call: number): PooledRun | undefined {
    return this.#runs.find((run) => run.call === call);
  }

  forget(run: PooledRun): void {
    const at = this.#runs.indexOf(run);
    if (at !== -1) this.#runs.splice(at, 1);
  }

  /** A thread's first word, posted by its bootstrap before the plugin is there. */
  #seat(message: unknown): void {
    if (!isSeatMessage(message) || this.#seats.has(message.threadId)) return;
    const { threadId, port, register } = message;
    const seat = new Seat(port, new ToolRegister(register), this.#spec.limits.cellMessagesPerTurn, (told) => this.#receive(seat, told));
    this.#seats.set(threadId, seat);
    threadInspector.introduce(threadId, seat.register.door);
  }

  #adopt(threadId: number): void {
    const worker = this.#pool.threads.find((thread) => thread.threadId === threadId);
    if (worker === undefined) return;
    // The bootstrap sends output as log lines; what reaches these streams went round it and must not be the daemon's.
    for (const stream of [worker.stdout, worker.stderr]) {
      stream.unpipe();
      stream.resume();
    }
    this.#workers.set(threadId, worker);
    // Its own modules are there by now; until then it reads nothing that could be left open, because piscina requires them.
    endsWhenRead(worker, () => (this.#seats.get(threadId)?.register.phase === 'importing' ? 'plugin' : undefined));
    worker.once('exit', () => this.#exited(threadId));
    this.#living.add(worker, threadId, worker);
    const watch = new ToolThreadWatch({ heapMb: this.#spec.cell.heapMb, rssMb: this.#spec.rssMb }, {
      thread: () => {
        const register = this.#seats.get(threadId)?.register;
        return register === undefined ? undefined : { worker, register };
      },
      locate: (withinMs) => this.#locate(threadId, withinMs),
      overstepped: (error) => this.#overstepped(threadId, error),
    });
    worker.once('exit', () => watch.stop());
  }

  #overstepped(threadId: number, error: PlainError): void {
    const seat = this.#seats.get(threadId);
    const run = seat?.register.phase === undefined ? undefined : this.#runOf(seat.register.call);
    if (run !== undefined) {
      run.endCell({ kind: 'crashed', reason: 'heap_limit', error });
      return;
    }
    this.#listener.troubled(strayCrash('heap_limit', error));
    this.#expectEnd(threadId);
  }

  #expectEnd(threadId: number): void {
    const worker = this.#workers.get(threadId);
    if (worker !== undefined) this.#living.expectEnd(worker);
  }

  #exited(threadId: number): void {
    threadInspector.dismiss(threadId);
    const seat = this.#seats.get(threadId);
    this.#workers.delete(threadId);
    seat?.drain();
    // The pool tells of the end by a promise, which comes after this; until then the register must be at hand.
    setImmediate(() => {
      this.#seats.delete(threadId);
      seat?.close();
    });
  }

  #receive(seat: Seat, message: ToolCellMessage): void {
    switch (message.type) {
      case 'log':
      case 'logDropped':
        this.#listener.log(message);
        return;
      case 'lastAnswer':
        this.#runOf(message.call)?.endCell({ kind: 'answered', answer: message.answer });
        return;
      case 'crash':
        this.#crashed(seat, message);
        return;
      case 'progress':
        // Threads have a register for that.
        return;
    }
  }

  #crashed(seat: Seat, { reason, error, given }: ToolCrashMessage): void {
    const run = this.#runOf(seat.register.call);
    if (run !== undefined && seat.register.phase !== undefined) {
      run.endCell({ kind: 'crashed', reason, error });
      return;
    }
    this.#listener.troubled(strayCrash(reason, error));
    if (given !== undefined) this.#runOf(given.call)?.endCell({ kind: 'answered', answer: given.answer });
  }

  #failed(run: PooledRun, thrown: unknown): void {
    const seat = this.seatOf(run.call);
    seat?.drain();
    run.end(seat === undefined ? { kind: 'lost', error: flattenError(thrown) } : threadEnd(thrown));
  }

  /** A thread failed that had no task: calls that wait for it to be ready would wait for ever. */
  #threadFailed(thrown: unknown): void {
    const unbegun = this.#runs.filter((run) => this.seatOf(run.call) === undefined);
    if (unbegun.length === 0) this.#listener.troubled(strayCrash('ended', flattenError(thrown)));
    for (const run of unbegun) run.endCell({ kind: 'lost', error: flattenError(thrown) });
  }
}

class PooledRun implements PoolRun {
  readonly call: number;
  readonly killSwitch = new KillSwitch();
  readonly #pool: PooledThreads;
  readonly #ended: (end: RunEnd) => void;
  #over = false;

  constructor(call: number, pool: PooledThreads, ended: (end: RunEnd) => void) {
    this.call = call;
    this.#pool = pool;
    this.#ended = ended;
  }

  get phase(): CallPhase {
    return this.#pool.seatOf(this.call)?.phaseOf(this.call) ?? 'queued';
  }

  get beganMs(): number | undefined {
    return this.#pool.seatOf(this.call)?.register.beganMs;
  }

  abort(reason: string): void {
    this.#pool.seatOf(this.call)?.abort(this.call, reason);
  }

  kill(): void {
    this.endCell({ kind: 'killed' });
  }

  locate(withinMs: number): Promise<Whereabouts> {
    return this.#pool.locate(this.call, withinMs);
  }

  retract(): void {
    if (this.#pool.cells === this.#pool.livingCells) this.endCell(stalled);
  }

  end(end: RunEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#pool.forget(this);
    this.#ended(end);
  }

  /** The thread first, so that the pool has room when this run's end is told. */
  endCell(end: RunEnd): void {
    if (this.#over) return;
    this.#pool.seatOf(this.call)?.endStarted();
    this.killSwitch.pull();
    this.end(end);
  }
}
