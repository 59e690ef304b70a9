// A few calls of one tool on their way through a pooled thread. Their tray tells how far it has come with them and
// holds their answers, so that each is told once, and the rest can be taken back at any time.
import { flattenError } from '../../../../protocol/cell/plain-error.ts';
import type { CallProgress, PooledTask, ToolAnswer, ToolTask } from '../../../../protocol/cell/tool-messages.ts';
import type { ToolTray } from '../../../../protocol/cell/tool-tray.ts';
import type { Whereabouts } from '../../../isolates/whereabouts.ts';
import { KillSwitch } from './kill-switch.ts';
import type { ThreadPorts } from '../thread-ports.ts';
import { stalled, threadEnd } from '../thread-end.ts';
import type { CallPhase, PoolRun, RunEnd, RunListener, SharedCellRun } from '../tool-pool.ts';

export interface RunPlace {
  /** The thread that is at this call, or was last. */
  seatOf(call: number): ThreadPorts | undefined;
  /** Reads what threads have said, on whatever way it is. */
  drain(): void;
  locate(call: number, withinMs: number): Promise<Whereabouts>;
  /** No thread is just being started. */
  readonly complete: boolean;
  /** `reusable`: no thread holds its tray any more. */
  forget(run: PooledRun, reusable: boolean): void;
}

export class PooledRun implements PoolRun, SharedCellRun {
  readonly shared = this;
  readonly killSwitch = new KillSwitch();
  readonly task: PooledTask;
  readonly tray: ToolTray;
  readonly #place: RunPlace;
  readonly #listener: RunListener;
  /** How many answers were looked for on the tray, and how many were told, from there or by message. */
  #read = 0;
  #told = 0;
  #withdrawn = false;
  #over = false;

  /** `known`: to every thread, from its start. */
  constructor(
    tasks: readonly ToolTask[],
    { tray, known }: { readonly tray: ToolTray; readonly known: boolean },
    place: RunPlace,
    listener: RunListener,
  ) {
    const calls: number[] = [];
    const inputs: string[] = [];
    let named = false;
    for (const { call, inputJson, callId } of tasks) {
      calls.push(call);
      inputs.push(inputJson);
      named ||= callId !== undefined;
    }
    this.task = {
      tray: tray.id,
      ...(known ? undefined : { buffer: tray.buffer }),
      tool: tasks[0]?.tool ?? '',
      calls,
      inputs,
      ...(named ? { callIds: tasks.map(({ callId }) => callId) } : undefined),
    };
    this.tray = tray;
    this.#place = place;
    this.#listener = listener;
  }

  /** Whether the call has begun here. One that was taken back may be in another run by now. */
  holds(call: number): boolean {
    const at = this.task.calls.indexOf(call);
    return at !== -1 && at < this.tray.begun;
  }

  get begun(): boolean {
    return this.tray.begun > 0;
  }

  get busy(): boolean {
    return this.tray.begun > this.tray.done;
  }

  phaseOf(call: number): CallPhase {
    const { begun } = this.tray;
    if (begun === 0) return 'starting';
    if (this.task.calls.indexOf(call) >= begun) return 'queued';
    // One that has ended is still running to its caller, until the answer is here.
    return this.#place.seatOf(call)?.register.phase ?? 'running';
  }

  get startedMs(): number | undefined {
    return this.tray.startedMs;
  }

  beganMsOf(call: number): number | undefined {
    return this.#place.seatOf(call)?.register.beganMs;
  }

  collect(): void {
    for (const done = this.tray.done; this.#read < done && !this.#over; this.#read += 1) {
      const kept = this.tray.take(this.#read);
      if (kept !== undefined) this.#tell(this.#read, { ok: true, ...kept });
    }
  }

  withdraw(): number {
    if (this.#withdrawn) return 0;
    this.#withdrawn = true;
    return this.task.calls.length - this.tray.close();
  }

  abort(call: number, reason: string): void {
    this.#place.seatOf(call)?.abort(call, reason);
  }

  kill(): void {
    this.endCell({ kind: 'killed' });
  }

  locate(call: number, withinMs: number): Promise<Whereabouts> {
    return this.#place.locate(call, withinMs);
  }

  /** Not where an answer was there already and nobody had read it: its call would be run again. */
  retract(): void {
    const told = this.#told;
    this.#hearOut();
    if (this.#told === told && this.#place.complete) this.endCell(stalled);
  }

  /** An answer that came by message; those before it are on the tray. */
  answered(call: number, answer: ToolAnswer): void {
    this.collect();
    this.#tell(this.task.calls.indexOf(call), answer);
  }

  progressed(call: number, progress: CallProgress): void {
    if (!this.#over) this.#listener.progressed(call, progress);
  }

  /**
   * Its thread is through with it. An answer may come by the thread's own port, and the message that brings the port of
   * a new thread may be read after this one, in the same turn.
   */
  finished(): void {
    this.#hearOut();
    if (this.#owes) setImmediate(() => this.#finished());
    else this.#finished();
  }

  #finished(): void {
    this.#hearOut();
    this.#end(this.#owes ? threadEnd(new Error('the thread gave no answer')) : { kind: 'over' }, true);
  }

  /** Its thread is no more, or never was; what it said before that counts first. */
  failed(thrown: unknown): void {
    this.#hearOut();
    this.#end(this.#owes ? threadEnd(thrown) : { kind: 'lost', error: flattenError(thrown) }, false);
  }

  /** The thread first, so that the pool has room when this run's end is told. */
  endCell(end: RunEnd): void {
    if (this.#over) return;
    this.killSwitch.pull();
    this.#end(end, false);
  }

  /** A call has begun and its answer was not told. */
  get #owes(): boolean {
    return this.#told < this.tray.begun;
  }

  #hearOut(): void {
    this.collect();
    if (this.#owes) this.#place.drain();
  }

  #tell(index: number, answer: ToolAnswer): void {
    if (this.#over) return;
    this.#told += 1;
    this.#listener.answered(this.task.calls[index] ?? 0, answer);
  }

  #end(end: RunEnd, reusable: boolean): void {
    if (this.#over) return;
    this.collect();
    this.#over = true;
    this.#place.forget(this, reusable);
    this.#listener.ended(end);
  }
}
