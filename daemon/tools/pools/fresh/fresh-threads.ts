// "fresh": a thread of its own for every call, by tinypool with isolated workers. The answer comes on the call's
// private port and the thread is ended then, so that nobody waits for a thread that is slow to end.
import type { Tinypool } from 'tinypool';
import { MessageChannel, type Worker } from 'node:worker_threads';
import { flattenError } from '../../../../protocol/cell/plain-error.ts';
import type { FreshTask, ToolCellMessage, ToolTask } from '../../../../protocol/cell/tool-messages.ts';
import { ToolRegister } from '../../../../protocol/cell/tool-register.ts';
import { cellEntry } from '../../../isolates/entries.ts';
import { cellWatch } from '../../../isolates/cell-watch.ts';
import { hardHeapMb } from '../../../isolates/memory-budget.ts';
import { locateThread } from '../../../isolates/stack-capture.ts';
import { threadInspector } from '../../../isolates/thread-inspector.ts';
import { endsWhenRead } from '../../../isolates/unread-files.ts';
import type { Whereabouts } from '../../../isolates/whereabouts.ts';
import { KillSwitch } from '../kill-switch.ts';
import { LivingCells } from '../living-cells.ts';
import { type LoneEnd, LoneRun, onlyTask } from '../lone-run.ts';
import { Seat } from '../seat.ts';
import { strayCrash, threadEnd } from '../thread-end.ts';
import { cellsOf, release } from '../tinypool-cell.ts';
import { ToolThreadWatch } from '../tool-thread-watch.ts';
import { type CallPhase, type PoolListener, type PoolRun, type PoolSpec, type RunListener, type ToolPool, cellFunction } from '../tool-pool.ts';

export async function freshThreads(spec: PoolSpec, listener: PoolListener): Promise<ToolPool> {
  const { Tinypool } = await import('tinypool');
  threadInspector.begin();
  const pool = new Tinypool({
    filename: cellEntry('tool-cell').href,
    name: cellFunction,
    runtime: 'worker_threads',
    isolateWorkers: true,
    minThreads: 0,
    maxThreads: spec.maxCells,
    idleTimeout: spec.limits.toolIdleMs,
    useAtomics: false,
    argv: [],
    execArgv: [...spec.execArgv],
    env: { ...spec.env },
    resourceLimits: { maxOldGenerationSizeMb: hardHeapMb(spec.cell.heapMb) },
    workerData: spec.cell,
  });
  return new FreshThreads(pool, spec, listener);
}

class FreshThreads implements ToolPool {
  readonly callsAtOnce = 1;
  readonly #pool: Tinypool;
  readonly #spec: PoolSpec;
  readonly #listener: PoolListener;
  readonly #living: LivingCells;
  readonly #runs = new Set<FreshRun>();

  constructor(pool: Tinypool, spec: PoolSpec, listener: PoolListener) {
    this.#pool = pool;
    this.#spec = spec;
    this.#listener = listener;
    this.#living = new LivingCells({ clock: spec.clock, killMs: spec.limits.killMs, troubled: (error) => listener.troubled(error), gone: () => listener.gone() });
    pool.on('error', (thrown: unknown) => this.#threadFailed(thrown));
  }

  get livingCells(): number {
    return this.#living.size;
  }

  get cells(): number {
    this.#adopt();
    return this.#living.size;
  }

  run(tasks: readonly ToolTask[], listener: RunListener): PoolRun {
    const task = onlyTask(tasks);
    const { port1, port2 } = new MessageChannel();
    const register = new ToolRegister();
    const run: FreshRun = new FreshRun(task, listener, {
      seat: new Seat(port1, register, this.#spec.limits.cellMessagesPerTurn, (message) => this.#receive(run, message)),
      locate: (withinMs) => {
        watch.meet();
        return this.#locate(register, withinMs);
      },
      release: (killSwitch) => release(this.#pool, killSwitch, this.#living),
      ended: () => {
        this.#runs.delete(run);
        watch.stop();
      },
    });
    const watch = new ToolThreadWatch({ heapMb: this.#spec.cell.heapMb, rssMb: this.#spec.rssMb }, {
      thread: () => {
        const worker = run.begun ? this.#threadOf(register) : undefined;
        return worker === undefined ? undefined : { worker, register };
      },
      locate: (withinMs) => this.#locate(register, withinMs),
      overstepped: (error) => run.endCell({ kind: 'crashed', reason: 'heap_limit', error }),
    });
    cellWatch.wake();
    this.#runs.add(run);
    try {
      this.#pool.run({ ...task, port: port2, register: register.buffer } satisfies FreshTask, { transferList: [port2], signal: run.killSwitch }).then(
        () => run.failed(new Error('the thread gave no answer')),
        (thrown: unknown) => run.failed(thrown),
      );
    } catch (thrown) {
      queueMicrotask(() => run.failed(thrown));
    }
    this.#adopt();
    return run;
  }

  async close(deadlineMs: number): Promise<void> {
    this.#adopt();
    for (const cell of cellsOf(this.#pool)) this.#living.expectEnd(cell);
    // Its promise waits for what may never end; the living cells are waited for with a deadline instead.
    this.#pool.destroy().catch(() => undefined);
    for (const run of this.#runs) run.kill();
    await this.#living.allGone(deadlineMs);
  }

  /** Tinypool does not notice a thread that exits, so every new one is watched here. */
  #adopt(): void {
    for (const cell of cellsOf(this.#pool)) {
      if (this.#living.has(cell)) continue;
      const { threadId, thread } = cell;
      let error: unknown = new Error('the thread ended');
      cell.on('error', (thrown: unknown) => (error = thrown));
      cell.once('exit', () => {
        for (const run of this.#runs) {
          if (run.begun && run.threadId === threadId) run.failed(error);
        }
      });
      if (thread !== undefined) this.#endWhenRead(threadId, thread);
      this.#living.add(cell, threadId, thread);
    }
  }

  #endWhenRead(threadId: number, thread: Worker): void {
    let up = false;
    // Its first word to the pool is that its own modules are there.
    thread.once('message', () => (up = true));
    thread.once('exit', () => (up = true));
    let run: FreshRun | undefined;
    endsWhenRead(thread, () => {
      if (!up) return 'own';
      run ??= [...this.#runs].find((candidate) => candidate.begun && candidate.threadId === threadId);
      return run?.phaseOf() === 'importing' ? 'plugin' : undefined;
    });
  }

  #threadOf({ threadId }: ToolRegister): Worker | undefined {
    return cellsOf(this.#pool).find((cell) => cell.threadId === threadId)?.thread;
  }

  #locate(register: ToolRegister, withinMs: number): Promise<Whereabouts> {
    const { threadId, osThread } = register;
    const thread = this.#threadOf(register);
    return locateThread(threadId, this.#spec.folder, withinMs, thread === undefined ? {} : { eventLoop: () => thread.performance.eventLoopUtilization(), osThread });
  }

  #receive(run: FreshRun, message: ToolCellMessage): void {
    switch (message.type) {
      case 'log':
      case 'logDropped':
        this.#listener.log(message);
        return;
      case 'lastAnswer':
        if (message.call === run.call) run.endCell({ kind: 'answered', answer: message.answer });
        return;
      case 'crash':
        run.endCell({ kind: 'crashed', reason: message.reason, error: message.error });
        return;
      case 'answer':
      case 'progress':
        // Of a pooled call, and of a process.
        return;
    }
  }

  /** A thread failed that had no task: calls that wait for it to be ready would wait for ever. */
  #threadFailed(thrown: unknown): void {
    const unbegun = [...this.#runs].filter((run) => !run.begun);
    if (unbegun.length === 0) this.#listener.troubled(strayCrash('ended', flattenError(thrown)));
    for (const run of unbegun) run.failed(thrown);
  }
}

interface FreshRunParts {
  readonly seat: Seat;
  locate(withinMs: number): Promise<Whereabouts>;
  release(killSwitch: KillSwitch): void;
  ended(): void;
}

class FreshRun extends LoneRun implements PoolRun {
  readonly killSwitch = new KillSwitch();
  readonly #parts: FreshRunParts;
  #over = false;

  constructor(task: ToolTask, listener: RunListener, parts: FreshRunParts) {
    super(task, listener);
    this.#parts = parts;
  }

  get begun(): boolean {
    return this.#parts.seat.holds(this.call);
  }

  get threadId(): number {
    return this.#parts.seat.register.threadId;
  }

  get busy(): boolean {
    return this.begun;
  }

  phaseOf(): CallPhase {
    return this.#parts.seat.phaseOf(this.call);
  }

  beganMsOf(): number | undefined {
    return this.begun ? this.#parts.seat.register.beganMs : undefined;
  }

  abort(call: number, reason: string): void {
    this.#parts.seat.abort(call, reason);
  }

  kill(): void {
    this.endCell({ kind: 'killed' });
  }

  locate(_call: number, withinMs: number): Promise<Whereabouts> {
    return this.#parts.locate(withinMs);
  }

  retract(): void {
    // A thread that has had no call before has nothing else to be busy with: it is starting.
  }

  /** Its thread is no more, or never was; what it said before that counts first. */
  failed(thrown: unknown): void {
    this.#parts.seat.drain();
    this.endCell(this.begun ? threadEnd(thrown) : { kind: 'lost', error: flattenError(thrown) });
  }

  /** Whatever the end, the thread ends with it. */
  endCell(end: LoneEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#parts.seat.endStarted();
    this.#parts.release(this.killSwitch);
    this.#parts.seat.close();
    this.#parts.ended();
    this.tell(end);
  }
}
