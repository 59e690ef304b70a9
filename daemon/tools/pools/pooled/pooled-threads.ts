// "pooled": piscina's threads, kept warm between calls and ended when idle. Each thread brings a private port and a
// register of its own, so that the host can tell which thread is at which call without asking.
import type { Piscina } from 'piscina';
import type { Worker } from 'node:worker_threads';
import type { CrashMessage } from '../../../../protocol/cell/messages.ts';
import { type PlainError, flattenError } from '../../../../protocol/cell/plain-error.ts';
import type { PooledOptions, ToolCellMessage, ToolTask } from '../../../../protocol/cell/tool-messages.ts';
import { ToolRegister } from '../../../../protocol/cell/tool-register.ts';
import { ToolTray, trayCalls } from '../../../../protocol/cell/tool-tray.ts';
import { directReads, pooledEntry } from '../../../isolates/entries.ts';
import { cellMeters } from '../../../isolates/cell-meters.ts';
import { cellWatch } from '../../../isolates/cell-watch.ts';
import { hardHeapMb } from '../../../isolates/memory-budget.ts';
import { locateThread } from '../../../isolates/stack-capture.ts';
import { lossAccount } from '../../../files/loss-account.ts';
import { threadInspector } from '../../../isolates/thread-inspector.ts';
import { endsWhenRead, mostOwnMs } from '../../../isolates/unread-files.ts';
import type { Whereabouts } from '../../../isolates/whereabouts.ts';
import { LivingCells } from '../living-cells.ts';
import { PooledRun } from './pooled-run.ts';
import { ThreadPorts } from '../thread-ports.ts';
import { strayCrash } from '../thread-end.ts';
import { isSeatMessage } from '../tool-message.ts';
import { ToolThreadWatch } from '../tool-thread-watch.ts';
import {
  type PoolListener,
  type PoolRun,
  type PoolSpec,
  type RunListener,
  type ToolPool,
  cellFunction,
} from '../tool-pool.ts';

export async function pooledThreads(spec: PoolSpec, listener: PoolListener): Promise<ToolPool> {
  const { Piscina } = await import('piscina');
  threadInspector.begin();
  // As many as there can be runs at once.
  const trays = Array.from({ length: spec.maxCells }, (_, id) => new ToolTray(id));
  const pool = new Piscina({
    filename: pooledEntry.href,
    name: cellFunction,
    minThreads: 0,
    maxThreads: spec.maxCells,
    idleTimeout: spec.limits.toolIdleMs,
    // The default stops the timers of an idle thread and hands its late errors to the next call.
    atomics: 'disabled',
    recordTiming: false,
    trackUnmanagedFds: true,
    argv: [],
    execArgv: [...directReads, ...spec.execArgv],
    env: { ...spec.env },
    resourceLimits: { maxOldGenerationSizeMb: hardHeapMb(spec.cell.heapMb) },
    workerData: { ...spec.cell, trays: trays.map(({ buffer }) => buffer) } satisfies PooledOptions,
  });
  return new PooledThreads(pool, trays, spec, listener);
}

class PooledThreads implements ToolPool {
  readonly callsAtOnce = trayCalls;
  readonly #pool: Piscina;
  readonly #spec: PoolSpec;
  readonly #listener: PoolListener;
  readonly #living: LivingCells;
  readonly #seats = new Map<number, ThreadPorts>();
  readonly #workers = new Map<number, Worker>();
  /** Never more than there are threads. */
  readonly #runs: PooledRun[] = [];
  /** Not on their way. A tray whose thread was ended may still be written on, and is not used again. */
  readonly #trays: ToolTray[];
  #trayIds: number;
  #closed = false;

  constructor(pool: Piscina, trays: ToolTray[], spec: PoolSpec, listener: PoolListener) {
    this.#pool = pool;
    this.#trays = trays;
    this.#trayIds = trays.length;
    this.#spec = spec;
    this.#listener = listener;
    this.#living = new LivingCells({
      clock: spec.clock,
      killMs: spec.limits.killMs,
      troubled: (error) => listener.troubled(error),
      gone: (leftBehind) => listener.gone(leftBehind),
    });
    pool.on('message', (message: unknown) => this.#seat(message));
    pool.on('workerCreate', ({ id }: { id: number }) => this.#adopt(id));
    pool.on('workerDestroy', ({ id }: { id: number }) => this.#expectEnd(id));
    pool.on('error', (thrown: unknown) => this.#threadFailed(thrown));
  }

  get livingCells(): number {
    return this.#living.size;
  }

  get leftBehind(): number {
    return this.#living.leftBehind;
  }

  get cells(): number {
    return this.#living.size + this.#pool.threads.filter((worker) => !this.#living.has(worker)).length;
  }

  run(tasks: readonly ToolTask[], listener: RunListener): PoolRun {
    const tray = this.#trays.pop() ?? new ToolTray((this.#trayIds += 1));
    const run = new PooledRun(tasks, { tray, known: tray.id < this.#spec.maxCells }, this, listener);
    this.#runs.push(run);
    cellWatch.wake();
    try {
      this.#pool.run(run.task, { signal: run.killSwitch }).then(
        () => run.finished(),
        (thrown: unknown) => run.failed(thrown),
      );
    } catch (thrown) {
      // No thread could be made; the pool still holds the task and must not run it later.
      run.killSwitch.pull();
      queueMicrotask(() => run.failed(thrown));
    }
    return run;
  }

  async close(deadlineMs: number): Promise<void> {
    for (const worker of this.#pool.threads) {
      if (this.#living.has(worker)) {
        this.#living.expectEnd(worker);
      } else {
        this.#endsWhenLoaded(worker);
        this.#living.add(worker, worker.threadId, worker);
        this.#living.expectEnd(worker, mostOwnMs);
      }
    }
    // Its promise waits for what may never end; the living cells are waited for with a deadline instead.
    void this.#pool.destroy();
    await this.#living.allGone(deadlineMs);
    this.#closed = true;
    for (const seat of this.#seats.values()) seat.close();
    this.#seats.clear();
  }

  get complete(): boolean {
    return this.cells === this.livingCells;
  }

  seatOf(call: number): ThreadPorts | undefined {
    for (const seat of this.#seats.values()) {
      if (seat.holds(call)) return seat;
    }
    return undefined;
  }

  drain(): void {
    for (const seat of this.#seats.values()) seat.drain();
  }

  locate(call: number, withinMs: number): Promise<Whereabouts> {
    return this.#locate(this.seatOf(call)?.register.threadId ?? 0, withinMs);
  }

  #locate(threadId: number, withinMs: number): Promise<Whereabouts> {
    const worker = this.#workers.get(threadId);
    return locateThread(
      threadId,
      this.#spec.folder,
      withinMs,
      worker === undefined
        ? {}
        : { eventLoop: () => worker.performance.eventLoopUtilization(), osThread: this.#osThread(threadId) },
    );
  }

  #runOf(call: number): PooledRun | undefined {
    return this.#runs.find((run) => run.holds(call));
  }

  forget(run: PooledRun, reusable: boolean): void {
    const at = this.#runs.indexOf(run);
    if (at !== -1) this.#runs.splice(at, 1);
    if (!reusable) return;
    run.tray.clear();
    this.#trays.push(run.tray);
  }

  /** A thread's first word, posted by its bootstrap before the plugin is there. */
  #seat(message: unknown): void {
    if (!isSeatMessage(message) || this.#seats.has(message.threadId)) return;
    const { threadId, port, register } = message;
    if (this.#closed) {
      port.close();
      return;
    }
    const seat = new ThreadPorts(port, new ToolRegister(register), this.#spec.limits.cellMessagesPerTurn, (told) =>
      this.#receive(seat, told),
    );
    this.#seats.set(threadId, seat);
    threadInspector.register(threadId, seat.register.gate);
    lossAccount.threadBegan(threadId, this.#spec.cell.plugin.id);
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
    // Its own modules are there by now.
    endsWhenRead(
      worker,
      () => (this.#seats.get(threadId)?.register.phase === 'importing' ? 'plugin' : undefined),
      () => this.#osThread(threadId),
    );
    worker.once('exit', () => this.#exited(threadId));
    this.#living.add(worker, threadId, worker);
    const watch = new ToolThreadWatch(
      {
        name: this.#spec.cell.plugin.id,
        heapMb: this.#spec.cell.heapMb,
        rssMb: this.#spec.rssMb,
        descriptors: this.#spec.descriptors,
      },
      {
        thread: () => {
          const register = this.#seats.get(threadId)?.register;
          return register === undefined ? undefined : { worker, register };
        },
        locate: (withinMs) => this.#locate(threadId, withinMs),
        overstepped: (reason, error) => this.#overstepped(threadId, reason, error),
      },
    );
    worker.once('exit', () => watch.stop());
  }

  /** For a thread that the pool has not told of, because it still reads the cell's own modules. */
  #endsWhenLoaded(worker: Worker): void {
    const { threadId } = worker;
    let gone = false;
    worker.once('exit', () => (gone = true));
    endsWhenRead(
      worker,
      () => (gone || this.#seats.get(threadId)?.register.up === true ? undefined : 'own'),
      () => this.#osThread(threadId),
    );
  }

  #osThread(threadId: number): number {
    return this.#seats.get(threadId)?.register.osThread ?? 0;
  }

  #overstepped(threadId: number, reason: 'heap_limit' | 'descriptor_limit', error: PlainError): void {
    const seat = this.#seats.get(threadId);
    const run = seat?.register.phase === undefined ? undefined : this.#runOf(seat.register.call);
    if (run !== undefined) {
      run.endCell({ kind: 'crashed', reason, error });
      return;
    }
    this.#listener.troubled(strayCrash(reason, error));
    this.#expectEnd(threadId);
  }

  #expectEnd(threadId: number): void {
    cellMeters.measureThread(threadId);
    const worker = this.#workers.get(threadId);
    if (worker !== undefined) this.#living.expectEnd(worker);
    lossAccount.threadEnding(threadId);
  }

  #exited(threadId: number): void {
    threadInspector.dismiss(threadId);
    lossAccount.threadEnded(threadId);
    const seat = this.#seats.get(threadId);
    this.#workers.delete(threadId);
    seat?.drain();
    // The pool tells of the end by a promise, which comes after this; until then the register must be at hand.
    setImmediate(() => {
      this.#seats.delete(threadId);
      seat?.close();
    });
  }

  #receive(seat: ThreadPorts, message: ToolCellMessage): void {
    switch (message.type) {
      case 'log':
      case 'logDropped':
        this.#listener.log(message);
        return;
      case 'answer':
        this.#runOf(message.call)?.answered(message.call, message.answer);
        return;
      case 'callProgress':
        this.#runOf(message.call)?.progressed(message.call, message.progress);
        return;
      case 'lastAnswer': {
        const run = this.#runOf(message.call);
        run?.answered(message.call, message.answer);
        run?.endCell({ kind: 'over' });
        return;
      }
      case 'crash':
        this.#crashed(seat, message);
        return;
      case 'progress':
        // Threads have a register for that.
        return;
    }
  }

  #crashed(seat: ThreadPorts, { reason, error }: CrashMessage): void {
    const run = this.#runOf(seat.register.call);
    if (run !== undefined && seat.register.phase !== undefined) {
      run.endCell({ kind: 'crashed', reason, error });
      return;
    }
    this.#listener.troubled(strayCrash(reason, error));
    // It came between two calls, or before anybody heard of the end of the last one.
    run?.endCell({ kind: 'lost', error });
  }

  /** A thread failed that had no task: calls that wait for it to be ready would wait for ever. */
  #threadFailed(thrown: unknown): void {
    const unbegun = this.#runs.filter((run) => !run.begun);
    if (unbegun.length === 0) this.#listener.troubled(strayCrash('ended', flattenError(thrown)));
    for (const run of unbegun) run.endCell({ kind: 'lost', error: flattenError(thrown) });
  }
}
