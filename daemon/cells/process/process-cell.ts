// A cell in a child process, with the promises of a thread and harder ends: SIGKILL to its whole group, a bound on its
// resident memory, and nothing it does to itself touches the daemon. There is no shared memory, so that one event is on
// the way at a time and the host keeps the register by what the cell says.
import type { ChildProcess } from 'node:child_process';
import type { Duplex } from 'node:stream';
import type { BatchMessage, ServiceCellOptions, StartedService } from '../../../protocol/cell/messages.ts';
import { flattenError } from '../../../protocol/cell/plain-error.ts';
import { watchFd } from '../../../protocol/cell/process-messages.ts';
import { ProgressRegister, monotonicMs } from '../../../protocol/cell/register.ts';
import type { ProcessIdentity } from '../../isolates/process-identity.ts';
import { CellCalls, isLoadedService, isNull, isStartedService, withPlace } from '../call.ts';
import { isText } from '../../isolates/untrusted-values.ts';
import { startChild } from './cell-child.ts';
import { CellInbox } from '../cell-inbox.ts';
import type { CallOutcome, Cell, CellEnd, CellListener, CellSpec, CellUsage, LoadedService } from '../cell.ts';
import { ChildChannel } from './child-channel.ts';
import type { ChildExit } from '../../isolates/child-exit.ts';
import { childEnd } from './child-end.ts';
import { isBegun, isVitals } from './process-message.ts';
import { cellOwner } from '../../isolates/cell-meters.ts';
import { signalGroup } from '../../isolates/child-signals.ts';
import { ProcessVitals } from '../../isolates/process-vitals.ts';
import { KillLadder, type KillLimits } from '../kill-ladder.ts';
import { PipeLines } from './pipe-lines.ts';
import { identitiesBelow, killRemaining } from '../../isolates/process-tree.ts';
import { WatchLine, closedLineMs } from '../../isolates/watch-line.ts';
import { locateProcess } from '../../isolates/stack-capture.ts';
import { ReportedProgress } from './reported-progress.ts';
import type { Whereabouts } from '../../isolates/whereabouts.ts';
import { awakeTime } from '../../time/awake-time.ts';
import type { Timer } from '../../time/clock.ts';

/** Remembers which processes are cells, for the daemon that comes after this one. */
export interface CellRecorder {
  add(pid: number, name: string): void;
  remove(pid: number): void;
}

/** Its last messages are read within this of its exit; a pipe that something else holds open is not waited for. */
const drainMs = 1000;
const outputDrainMs = 100;

export class ProcessCell implements Cell {
  readonly register = new ProgressRegister();
  /** Only with one event on the way is blame exact without shared memory. */
  readonly window = { batches: 1, events: 1 };
  readonly #spec: CellSpec;
  readonly #listener: CellListener;
  readonly #child: ChildProcess;
  readonly #channel: ChildChannel;
  readonly #output: PipeLines;
  readonly #watch: WatchLine | undefined;
  readonly #vitals: ProcessVitals | undefined;
  readonly #progress = new ReportedProgress(this.register);
  readonly #calls = new CellCalls();
  readonly #ladder: KillLadder;
  readonly #inbox: CellInbox;
  readonly #records: CellRecorder | undefined;
  #exit: ChildExit | undefined;
  #ended = false;
  #unkillable = false;
  #callsPending = 0;
  /** What it had started when its end was ordered. */
  #started: readonly ProcessIdentity[] = [];
  readonly #timers: Timer[] = [];

  constructor(spec: CellSpec, listener: CellListener, limits: KillLimits, records?: CellRecorder) {
    this.#spec = spec;
    this.#listener = listener;
    this.#records = records;
    this.#child = startChild(spec);
    const { pid } = this.#child;
    this.#inbox = new CellInbox(this.#keepingProgress(listener), () => this.#ladder.terminate());
    this.#channel = new ChildChannel(this.#child, (message) => this.#receive(message));
    this.#output = new PipeLines(this.#child, spec.logBytesPerSecond, listener);
    this.#ladder = new KillLadder(limits, {
      abort: (reason) => this.abort(reason),
      terminate: () => this.#terminate(limits.abortGraceMs),
      giveUp: () => this.#giveUp(),
    });
    this.#child.on('error', (error) => this.#failed(error));
    this.#child.once('exit', (code, signal) => this.#exited({ code, signal }));
    if (pid === undefined) return;
    records?.add(pid, spec.name);
    this.#vitals = new ProcessVitals(pid, cellOwner(spec.name), spec, {
      idle: () => this.#progress.idle && this.#callsPending === 0,
      overstepped: (reason, error) => this.#endFor({ reason, error, exitCode: null }),
    });
    // Asked for as a pipe, so it is a duplex stream.
    this.#watch = new WatchLine(this.#child.stdio[watchFd] as Duplex, () => this.#lineClosed());
    this.#child.once('disconnect', () => this.#lineClosed());
  }

  get malformed(): number {
    return this.#inbox.malformed;
  }

  async load(options: ServiceCellOptions, deadlineMs: number): Promise<CallOutcome<LoadedService>> {
    this.#inbox.allowOutputs(options.maxOutputBytes);
    this.#inbox.allowState(options.maxStateBytes);
    this.#inbox.allowCommands(options.outputs);
    return withPlace(
      await this.#call((api) => api.load(options), isLoadedService, deadlineMs),
      this.#spec.folder,
      options.entryUrl,
    );
  }

  start(deadlineMs: number, state?: string): Promise<CallOutcome<StartedService>> {
    this.#inbox.allowState(state?.length ?? 0);
    return this.#call((api) => api.start(state), isStartedService, deadlineMs);
  }

  replaceState(json: string): void {
    this.#inbox.allowState(json.length);
    if (!this.#ended) this.#channel.post({ type: 'state', json });
  }

  status(deadlineMs: number): Promise<CallOutcome<string>> {
    return this.#call((api) => api.status(), isText, deadlineMs);
  }

  stop(deadlineMs: number): Promise<CallOutcome<null>> {
    return this.#call((api) => api.stop(), isNull, deadlineMs);
  }

  send(batch: BatchMessage): void {
    if (this.#ended) return;
    this.#progress.sent(batch);
    this.#channel.post({ ...batch, beginByMs: monotonicMs() + this.#spec.beginWithinMs });
  }

  cancel(turn: number, reason: string): void {
    if (!this.#ended) this.#channel.post({ type: 'cancel', turn, reason });
  }

  /** Nothing can be taken at once from a channel between processes: see `arrivals`. */
  drain(): void {}

  /** What has arrived by now is read before `then` runs. */
  arrivals(then: () => void): void {
    setImmediate(then);
  }

  abort(reason: string): void {
    if (!this.#ended) this.#channel.post({ type: 'abort', reason });
  }

  kill(reason: string): void {
    if (!this.#ended) this.#ladder.climb(reason);
  }

  end(): void {
    if (!this.#ended) this.#ladder.terminate();
  }

  locate(withinMs: number): Promise<Whereabouts> {
    const { folder, execArgv } = this.#spec;
    return locateProcess(
      { watch: this.#watch, pid: this.#child.pid, restricted: execArgv.length > 0 },
      folder,
      withinMs,
    );
  }

  usage(): CellUsage {
    const rssMb = this.#vitals?.rssMb;
    return {
      ...(this.#child.pid === undefined ? {} : { pid: this.#child.pid }),
      heapUsedMb: Number(this.register.heapUsedMb.toFixed(1)),
      ...(rssMb === undefined ? {} : { rssMb: Number(rssMb.toFixed(1)) }),
      utilization: Number((this.#vitals?.utilization ?? 0).toFixed(3)),
      unkillable: this.#unkillable,
    };
  }

  async #call<Value>(
    call: (api: ChildChannel['api']) => Promise<unknown>,
    isValue: (value: unknown) => value is Value,
    deadlineMs: number,
  ): Promise<CallOutcome<Value>> {
    this.#callsPending += 1;
    try {
      return await this.#calls.run(() => call(this.#channel.api), isValue, deadlineMs);
    } finally {
      this.#callsPending -= 1;
    }
  }

  #receive(message: unknown): void {
    if (this.#ended) return;
    if (isBegun(message)) {
      this.#progress.begun(message);
    } else if (isVitals(message)) {
      this.register.reportMemory(message.heapUsedBytes, message.externalBytes);
      this.#vitals?.told(message);
    } else {
      this.#inbox.receive(message);
    }
  }

  /** SIGTERM is for what the plugin has started and for its own handlers; it gets as long as the abort signal had. */
  #terminate(graceMs: number): void {
    this.#signal('SIGTERM');
    this.#timers.push(awakeTime.after(graceMs, () => this.#signal('SIGKILL')));
  }

  #signal(signal: 'SIGTERM' | 'SIGKILL'): void {
    const { pid } = this.#child;
    if (pid === undefined || this.#exit !== undefined) return;
    // Who has left its group is found only while the cell is there, and ended when it is gone.
    this.#started = [...this.#started, ...identitiesBelow(pid)];
    signalGroup(pid, signal);
  }

  /** The cell has overstepped a bound: no time for it to do more. */
  #endFor(end: CellEnd): void {
    if (this.#ended) return;
    this.#inbox.remember(end);
    this.#ladder.terminate();
    this.#signal('SIGKILL');
  }

  /** The register is right before anybody is told. */
  #keepingProgress(listener: CellListener): CellListener {
    return {
      results: (message) => {
        this.#progress.ended(message);
        listener.results(message);
      },
      halted: (message) => listener.halted(message),
      log: (message) => listener.log(message),
      logDropped: (message) => listener.logDropped(message),
      said: (message) => listener.said?.(message),
      sayDropped: (message) => listener.sayDropped?.(message),
      ended: (end) => listener.ended(end),
      unkillable: () => listener.unkillable(),
      leftBehindEnded: () => listener.leftBehindEnded?.(),
    };
  }

  /** On the way to its end, or the plugin has closed what is not its own: then nothing more can be had of the cell. */
  #lineClosed(): void {
    this.#timers.push(
      awakeTime.after(closedLineMs, () => {
        if (this.#exit === undefined)
          this.#endFor({
            reason: 'ended',
            error: { name: 'CellEnded', message: 'the cell closed its line to the daemon' },
            exitCode: null,
          });
      }),
    );
  }

  #failed(error: Error): void {
    if (this.#child.pid !== undefined) return;
    this.#end({
      reason: 'spawn_failed',
      error: {
        ...flattenError(error),
        message: `no process could be started in the plugin's folder: ${error.message}`,
      },
      exitCode: null,
    });
  }

  #exited(exit: ChildExit): void {
    this.#exit = exit;
    this.#ladder.stop();
    this.#vitals?.ended();
    // What it has started ends with it.
    if (this.#child.pid !== undefined) signalGroup(this.#child.pid, 'SIGKILL');
    killRemaining(this.#started);
    this.#output.finish();
    if (this.#unkillable) this.#leftBehindEnded();
    const decide = (): void => this.#end(this.#ladder.climbing ? killed(exit) : childEnd(exit, this.#output.tail));
    this.#child.once('close', decide);
    // A process that has escaped from the group may hold the pipes open; the channel is the cell's alone.
    this.#timers.push(awakeTime.after(outputDrainMs, () => setImmediate(() => this.#child.connected || decide())));
    this.#timers.push(awakeTime.after(drainMs, () => setImmediate(decide)));
  }

  #giveUp(): void {
    this.#unkillable = true;
    this.#child.unref();
    this.#listener.unkillable();
    this.#end({
      reason: 'killed',
      error: {
        name: 'Unkillable',
        message: "the cell's process did not end: it sits in a call of the system that does not return",
      },
      exitCode: null,
    });
  }

  #leftBehindEnded(): void {
    if (this.#child.pid !== undefined) this.#records?.remove(this.#child.pid);
    this.#listener.leftBehindEnded?.();
  }

  /** Everything the cell had sent has been taken by now. */
  #end(end: CellEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#ladder.stop();
    this.#vitals?.stop();
    for (const timer of this.#timers) timer.cancel();
    if (this.#child.pid !== undefined && !this.#unkillable) this.#records?.remove(this.#child.pid);
    this.#output.close();
    this.#watch?.close();
    this.#channel.close();
    const told = this.#inbox.endOf(end);
    this.#calls.cellEnded(told);
    this.#listener.ended(told);
  }
}

const killed = ({ code, signal }: ChildExit): CellEnd => ({
  reason: 'killed',
  error: {
    name: 'CellEnded',
    message: `the cell's process ended ${signal === null ? `with exit code ${String(code)}` : `by ${signal}`}`,
  },
  exitCode: code,
});
