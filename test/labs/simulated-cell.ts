// A cell on a virtual clock: it keeps the same register and says the same things as a real one, with every delay and
// every end under the test's control. Policy is tested with it; isolation is tested with real threads.
import { BatchEvents } from '../../protocol/cell/batch.ts';
import type { BatchMessage, CellMessage, ServiceCellOptions, StartedService } from '../../protocol/cell/messages.ts';
import { largestRingOutput } from '../../protocol/cell/output-ring.ts';
import { ProgressRegister } from '../../protocol/cell/register.ts';
import type { CallOutcome, Cell, CellEnd, CellListener, CellUsage, LoadedService } from '../../daemon/cells/cell.ts';
import type { Whereabouts } from '../../daemon/isolates/whereabouts.ts';
import { SharedReports } from '../../workers/lane-reports.ts';
import type { VirtualClock } from './virtual-clock.ts';

/**
 * What one event makes the simulated plugin do; `ms` is how long it takes. In `native` nothing can end it; `obey` waits
 * until its signal is aborted and then throws; `flaky` throws at its first attempt alone, and `permanent` throws a
 * PermanentError.
 */
export type Deed = {
  readonly n: number;
  readonly does: 'return' | 'throw' | 'flaky' | 'permanent' | 'obey' | 'hang' | 'native' | 'exit' | 'stray';
  readonly ms: number;
};

export interface SimulatedWorld {
  readonly clock: VirtualClock;
  /** How long a message of the cell is under way; asked for each. */
  latencyMs(): number;
  /** Between posting a result and writing the register. */
  pauseMs(): number;
  /**
   * How the next answer travels: laid in the ring, as a message because the ring is full, or as bytes because it is
   * large.
   */
  nextWay(): 'ring' | 'message' | 'bytes';
  /** Every begin of an event, and the moment after which its end can no longer be taken back. */
  began(deed: Deed, cell: SimulatedCell): void;
  ended(deed: Deed, cell: SimulatedCell): void;
  /** How the next start goes. */
  startAs(): 'run' | 'throw' | 'hang';
}

const tellEvery = 16;
const killMs = 60;

export class SimulatedCell implements Cell {
  readonly register = new ProgressRegister();
  malformed = 0;
  readonly #world: SimulatedWorld;
  readonly #listener: CellListener;
  readonly #batches: BatchMessage[] = [];
  /** Messages posted and not yet received by the host. */
  readonly #posted: CellMessage[] = [];
  readonly #calls = new Set<(outcome: { ok: false; phase: 'ended'; end: CellEnd }) => void>();
  #running = false;
  #native = false;
  /** Set while a handler waits for its abort signal. */
  #release: (() => void) | undefined;
  #dead = false;
  #told = false;
  #killed = false;
  #through = 0;
  #pausesOnFailure = false;
  #paused = false;
  #untold = 0;
  /** What it has of `ctx.state`: how many events were handled. */
  #count = 0;
  readonly #reports = new SharedReports(this.register, (message) => this.#post(message));
  readonly #withoutRing = new SharedReports(this.register, (message) => this.#post(message));

  constructor(world: SimulatedWorld, listener: CellListener) {
    this.#world = world;
    this.#listener = listener;
  }

  get dead(): boolean {
    return this.#dead;
  }

  load({ pausesOnFailure }: ServiceCellOptions): Promise<CallOutcome<LoadedService>> {
    this.#pausesOnFailure = pausesOnFailure === true;
    return Promise.resolve({ ok: true, value: { hasStatus: false, hasStop: true } });
  }

  start(deadlineMs: number, state?: string): Promise<CallOutcome<StartedService>> {
    if (state !== undefined) this.replaceState(state);
    const how = this.#world.startAs();
    if (how === 'throw')
      return Promise.resolve({ ok: false, phase: 'start', error: { name: 'Error', message: 'start failed' } });
    return this.#call(deadlineMs, how === 'hang' ? Infinity : 1, { state: null });
  }

  replaceState(json: string): void {
    this.#count = (JSON.parse(json) as { readonly count?: number }).count ?? 0;
  }

  status(): Promise<CallOutcome<string>> {
    return Promise.resolve({ ok: true, value: '{}' });
  }

  stop(deadlineMs: number): Promise<CallOutcome<null>> {
    return this.#call(deadlineMs, 1, null);
  }

  send(batch: BatchMessage): void {
    if (this.#dead) return;
    if (batch.outputs !== undefined) this.#reports.layIn(batch.outputs);
    if (this.#paused && batch.resumes !== true) return;
    this.#paused = false;
    this.#batches.push(batch);
    this.#world.clock.after(this.#world.latencyMs(), () => {
      if (!this.#running && !this.#dead) this.#runNext();
    });
  }

  drain(): void {
    while (this.#posted.length > 0) this.#receive();
  }

  abort(): void {
    this.#release?.();
    this.#release = undefined;
  }

  kill(): void {
    if (this.#killed) return;
    this.#killed = true;
    if (this.#native) {
      this.#world.clock.after(killMs, () => this.#giveUp());
      return;
    }
    this.#world.clock.after(3, () =>
      this.#end({ reason: 'killed', error: { name: 'CellEnded', message: 'killed' }, exitCode: 1 }),
    );
  }

  end(): void {
    this.kill();
  }

  /** The thread dies by itself, whatever it is doing; in native code it does not. */
  crash(): void {
    if (this.#native) return;
    this.#end({ reason: 'uncaught_exception', error: { name: 'Error', message: 'crashed' }, exitCode: 1 });
  }

  locate(): Promise<Whereabouts> {
    return Promise.resolve({ kind: 'unknown', frames: [] });
  }

  usage(): CellUsage {
    return { threadId: 1, heapUsedMb: 1, utilization: 0, unkillable: false };
  }

  #call<Value>(deadlineMs: number, takesMs: number, value: Value): Promise<CallOutcome<Value>> {
    return new Promise((resolve) => {
      this.#calls.add(resolve);
      const settle = (outcome: CallOutcome<Value>): void => {
        this.#calls.delete(resolve);
        resolve(outcome);
      };
      if (takesMs < deadlineMs) this.#world.clock.after(takesMs, () => settle({ ok: true, value }));
      else this.#world.clock.after(deadlineMs, () => settle({ ok: false, phase: 'deadline' }));
    });
  }

  #runNext(offset = 0): void {
    const batch = this.#batches[0];
    if (this.#dead) return;
    this.#running = batch !== undefined;
    if (batch === undefined) return;
    if (offset === batch.count) {
      this.#batches.shift();
      this.#flush();
      this.#runNext();
      return;
    }
    if (this.register.halted) {
      this.#flush();
      this.#post({ type: 'halted', through: this.#through });
      this.#batches.length = 0;
      this.#running = false;
      return;
    }
    const sequence = batch.first + offset;
    const deed = deedsOf(batch)[offset] as Deed;
    if (batch.awaited.includes(offset) && !this.register.take(sequence)) {
      if (!this.register.finish(sequence, this.#world.clock.monotonicMs())) return;
      this.#through = sequence;
      this.#untold += 1;
      this.#world.clock.after(0, () => this.#runNext(offset + 1));
      return;
    }
    if (!this.register.begin(sequence, this.#world.clock.monotonicMs())) {
      this.#batches.length = 0;
      this.#running = false;
      return;
    }
    this.#world.began(deed, this);
    this.#native = deed.does === 'native';
    if (deed.does === 'hang' || this.#native) return;
    const finishIn = (ms: number): void =>
      void this.#world.clock.after(ms, () => {
        if (!this.#dead) this.#finish(deed, sequence, batch.awaited.includes(offset), offset);
      });
    if (deed.does === 'obey') this.#release = () => finishIn(1);
    else finishIn(deed.ms);
  }

  #finish(deed: Deed, sequence: number, awaited: boolean, offset: number): void {
    if (deed.does === 'exit') {
      this.crash();
      return;
    }
    this.#through = sequence;
    this.#untold += 1;
    const known = this.#report(deed, sequence, awaited);
    const paused = this.#paused;
    if (known) this.#world.ended(deed, this);
    // A report comes first and the register is written afterwards: the host may look in between.
    this.#world.clock.after(this.#world.pauseMs(), () => {
      if (!this.#dead) this.#conclude(deed, sequence, offset, { known, awaited, paused });
    });
  }

  /** Whether the host can know of it before the register says so. */
  #report({ does, n, ms }: Deed, sequence: number, awaited: boolean): boolean {
    if (does === 'throw' || does === 'obey' || does === 'permanent') {
      this.#fail(sequence, { permanent: does === 'permanent', awaited, ms });
      return true;
    }
    this.#count += 1;
    this.#reports.effects({ sequence, state: ['count', String(this.#count)] });
    if (!awaited) return false;
    const way = this.#world.nextWay();
    const json = way === 'bytes' ? String(n).padStart(largestRingOutput + 1) : String(n);
    return (way === 'ring' ? this.#reports : this.#withoutRing).answered(
      { sequence, json, durationMs: ms },
      json.length,
    );
  }

  #fail(
    sequence: number,
    { permanent, awaited, ms }: { readonly permanent: boolean; readonly awaited: boolean; readonly ms: number },
  ): void {
    const paused = this.#pausesOnFailure && !awaited && !permanent;
    if (paused) {
      this.#paused = true;
      this.#batches.length = 0;
    }
    this.#reports.failed({
      sequence,
      code: 'dispatch_failed',
      error: { name: 'Error', message: 'thrown' },
      durationMs: ms,
      permanent,
      paused,
    });
  }

  #conclude(
    deed: Deed,
    sequence: number,
    offset: number,
    { known, awaited, paused }: { readonly known: boolean; readonly awaited: boolean; readonly paused: boolean },
  ): void {
    if (!this.register.finish(sequence, this.#world.clock.monotonicMs())) return;
    if (known) this.#untold = 0;
    else this.#world.ended(deed, this);
    if (awaited || this.#untold >= tellEvery) this.#flush();
    if (deed.does === 'stray') {
      this.crash();
      return;
    }
    this.#world.clock.after(0, () => this.#runNext(paused ? 0 : offset + 1));
  }

  #flush(): void {
    if (this.#untold === 0) return;
    this.#untold = 0;
    this.#reports.tell();
  }

  #post(message: CellMessage): void {
    this.#posted.push(message);
    this.#world.clock.after(this.#world.latencyMs(), () => this.#receive());
  }

  /** In order, however the delays fell. */
  #receive(): void {
    const message = this.#posted.shift();
    if (message?.type === 'results') this.#listener.results(message);
    else if (message?.type === 'progress') this.#listener.progressed?.();
    else if (message?.type === 'halted') this.#listener.halted(message);
  }

  #giveUp(): void {
    if (this.#dead) return;
    this.#listener.unkillable();
    this.#end({ reason: 'killed', error: { name: 'Unkillable', message: 'given up' }, exitCode: null });
  }

  #end(end: CellEnd): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#world.clock.after(this.#world.latencyMs(), () => {
      if (this.#told) return;
      this.#told = true;
      this.drain();
      for (const settle of this.#calls) settle({ ok: false, phase: 'ended', end });
      this.#listener.ended(end);
    });
  }
}

function deedsOf(batch: BatchMessage): Deed[] {
  const events = new BatchEvents(JSON.parse(batch.json));
  return Array.from({ length: batch.count }, () => {
    const { payload, attempt } = events.next();
    const deed = payload as Deed;
    return deed.does === 'flaky' ? { ...deed, does: attempt === 1 ? 'throw' : 'return' } : deed;
  });
}
