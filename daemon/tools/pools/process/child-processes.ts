// "process": tinypool's child processes, kept between calls. What a run overran is ended with SIGKILL, not asked: a
// plugin may catch SIGTERM, and what it started itself must not survive it either.
import type { Tinypool, TinypoolChannel } from 'tinypool';
import { flattenError } from '../../../../protocol/cell/plain-error.ts';
import type { AbortCallMessage, ProcessTask, ToolCrashMessage, ToolTask } from '../../../../protocol/cell/tool-messages.ts';
import { monotonicMs } from '../../../../protocol/cell/register.ts';
import { cellEntry } from '../../../isolates/entries.ts';
import { withWatchdog } from '../../../isolates/permissions.ts';
import type { Whereabouts } from '../../../isolates/whereabouts.ts';
import { ChildCell } from './child-cell.ts';
import { KillSwitch } from '../kill-switch.ts';
import { LivingCells } from '../living-cells.ts';
import { type LoneEnd, LoneRun, onlyTask } from '../lone-run.ts';
import { stalled, strayCrash } from '../thread-end.ts';
import { type TinypoolCell, cellsOf, release } from '../tinypool-cell.ts';
import { isToolAnswer, isToolCellMessage } from '../tool-message.ts';
import { type CallPhase, type PoolListener, type PoolRun, type PoolSpec, type RunListener, type ToolPool, cellFunction } from '../tool-pool.ts';

export async function childProcesses(spec: PoolSpec, listener: PoolListener): Promise<ToolPool> {
  const { Tinypool } = await import('tinypool');
  const pool = new Tinypool({
    filename: cellEntry('tool-cell').href,
    name: cellFunction,
    runtime: 'child_process',
    serialization: 'advanced',
    minThreads: 0,
    maxThreads: spec.maxCells,
    idleTimeout: spec.limits.toolIdleMs,
    argv: [],
    // In a process of its own the heap's bound is hard: running out of memory ends that process alone.
    execArgv: [`--max-old-space-size=${String(spec.cell.heapMb)}`, ...withWatchdog(spec.execArgv)],
    env: { ...spec.env },
  });
  return new ChildProcesses(pool, spec, listener);
}

class ChildProcesses implements ToolPool {
  readonly callsAtOnce = 1;
  readonly #pool: Tinypool;
  readonly #spec: PoolSpec;
  readonly #listener: PoolListener;
  readonly #living: LivingCells;
  readonly #cells = new Map<TinypoolCell, ChildCell>();
  readonly #runs = new Set<ProcessRun>();

  constructor(pool: Tinypool, spec: PoolSpec, listener: PoolListener) {
    this.#pool = pool;
    this.#spec = spec;
    this.#listener = listener;
    this.#living = new LivingCells({ clock: spec.clock, killMs: spec.limits.killMs, troubled: (error) => listener.troubled(error), gone: () => listener.gone() });
    pool.on('error', (thrown: unknown) => this.#processFailed(thrown));
  }

  get livingCells(): number {
    return this.#living.size;
  }

  get cells(): number {
    return this.#living.size;
  }

  run(tasks: readonly ToolTask[], listener: RunListener): PoolRun {
    const task = onlyTask(tasks);
    const run: ProcessRun = new ProcessRun(task, listener, {
      told: (message) => this.#receive(run, message),
      release: (killSwitch) => release(this.#pool, killSwitch, this.#living),
      ended: () => void this.#runs.delete(run),
    });
    this.#runs.add(run);
    try {
      this.#pool.run({ ...task, options: this.#optionsFor(task) } satisfies ProcessTask, { channel: run, signal: run.killSwitch }).then(
        (answer: unknown) => (isToolAnswer(answer) ? run.end({ kind: 'answered', answer }) : run.failed(new Error('the process gave no answer'))),
        (thrown: unknown) => run.failed(thrown),
      );
      this.#adopt();
    } catch (thrown) {
      queueMicrotask(() => run.endCell({ kind: 'lost', error: flattenError(thrown) }));
    }
    return run;
  }

  async close(deadlineMs: number): Promise<void> {
    for (const run of this.#runs) run.kill();
    for (const worker of cellsOf(this.#pool)) {
      this.#living.expectEnd(worker);
      this.#cells.get(worker)?.kill();
    }
    // Its promise waits for what may never end; the living cells are waited for with a deadline instead.
    this.#pool.destroy().catch(() => undefined);
    await this.#living.allGone(deadlineMs);
  }

  /** A process gets what it needs with each task: its command line and environment are for everybody to read. */
  #optionsFor({ tool }: ToolTask): ProcessTask['options'] {
    const { cell } = this.#spec;
    return { ...cell, tools: cell.tools.filter(({ name }) => name === tool) };
  }

  /** Takes hold of the processes tinypool has just made, before any of their output can reach the daemon's. */
  #adopt(): void {
    for (const worker of cellsOf(this.#pool)) {
      if (this.#cells.has(worker)) continue;
      const cell = new ChildCell(worker, this.#spec);
      this.#cells.set(worker, cell);
      worker.once('exit', () => this.#cells.delete(worker));
      this.#living.add(worker, worker.threadId);
      // Tinypool asks an idle one to end: what it has started would stay.
      const terminate = worker.terminate.bind(worker);
      worker.terminate = () => {
        cell.kill();
        return terminate();
      };
      // The only sign by which tinypool tells which process takes a task.
      const setChannel = worker.setChannel?.bind(worker);
      worker.setChannel = (channel) => {
        if (channel instanceof ProcessRun) channel.cell = cell;
        setChannel?.(channel);
      };
    }
  }

  #receive(run: ProcessRun, message: unknown): void {
    if (!isToolCellMessage(message)) return;
    switch (message.type) {
      case 'log':
      case 'logDropped':
        this.#listener.log(message);
        return;
      case 'lastAnswer':
        if (message.call === run.call) run.endCell({ kind: 'answered', answer: message.answer });
        return;
      case 'crash':
        this.#crashed(run, message);
        return;
      case 'answer':
        // Only pooled threads have it.
        return;
      case 'progress':
        if (message.call === run.call) run.entered(message.phase);
    }
  }

  #crashed(run: ProcessRun, { reason, error, given }: ToolCrashMessage): void {
    const isGiven = given?.call === run.call;
    if (run.busy && !isGiven) {
      run.endCell({ kind: 'crashed', reason, error });
      return;
    }
    if (run.cell !== undefined) run.cell.doomed = true;
    this.#listener.troubled(strayCrash(reason, error));
    run.endCell(isGiven ? { kind: 'answered', answer: given.answer } : { kind: 'lost', error });
  }

  /** A process failed that had no task: calls that wait for it to be ready would wait for ever. */
  #processFailed(thrown: unknown): void {
    for (const run of this.#runs) {
      if (run.cell === undefined) run.failed(thrown);
    }
  }
}

interface ProcessRunParts {
  told(message: unknown): void;
  release(killSwitch: KillSwitch): void;
  ended(): void;
}

/** One run, and the channel by which tinypool passes on what its process says beside the answer. */
class ProcessRun extends LoneRun implements PoolRun, TinypoolChannel {
  readonly killSwitch = new KillSwitch();
  /** The process that was given the task. */
  cell: ChildCell | undefined;
  readonly #parts: ProcessRunParts;
  #send: ((message: AbortCallMessage) => void) | undefined;
  #phase: CallPhase = 'queued';
  #beganMs: number | undefined;
  #over = false;

  constructor(task: ToolTask, listener: RunListener, parts: ProcessRunParts) {
    super(task, listener);
    this.#parts = parts;
  }

  // What tinypool calls.

  onMessage(send: (message: AbortCallMessage) => void): void {
    this.#send = send;
  }

  postMessage(message: unknown): void {
    this.#parts.told(message);
  }

  // What the pool calls.

  /** Whether its process has begun the call and not answered it. */
  get busy(): boolean {
    return !this.#over && this.#phase !== 'queued';
  }

  entered(phase: 'importing' | 'running'): void {
    this.#phase = phase;
    this.#beganMs ??= monotonicMs();
  }

  phaseOf(): CallPhase {
    return this.#phase;
  }

  beganMsOf(): number | undefined {
    return this.#beganMs;
  }

  abort(call: number, reason: string): void {
    this.#send?.({ type: 'abortCall', call, reason });
  }

  kill(): void {
    this.endCell({ kind: 'killed' });
  }

  locate(_call: number, withinMs: number): Promise<Whereabouts> {
    return this.cell?.locate(withinMs) ?? Promise.resolve({ kind: 'unknown', frames: [] });
  }

  retract(): void {
    if (this.cell !== undefined) this.endCell(stalled);
  }

  end(end: LoneEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#parts.ended();
    this.tell(end);
  }

  /** SIGKILL first, so that the pool's own SIGTERM finds nothing that could still answer to it. */
  endCell(end: LoneEnd): void {
    if (this.#over) return;
    this.cell?.kill();
    this.#parts.release(this.killSwitch);
    this.end(end);
  }

  /**
   * Its process is no more. Without a word of it the call counts as begun once it was handed over; a process that had
   * said its last word before began nothing after that.
   */
  failed(thrown: unknown): void {
    if (this.#over) return;
    const { cell } = this;
    if (cell === undefined) this.endCell({ kind: 'lost', error: flattenError(thrown) });
    else void cell.end().then((end) => this.endCell(cell.doomed && !this.busy ? { kind: 'lost', error: end.error } : end));
  }
}
