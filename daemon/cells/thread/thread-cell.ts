// A cell in a worker thread. The host wraps its API through comlink and never exposes anything to it; everything
// else it says comes as checked messages on a private port.
import { wrap } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type {
  AbortMessage,
  BatchMessage,
  CancelMessage,
  ServiceCellApi,
  ServiceCellOptions,
  StartedService,
  StateMessage,
} from '../../../protocol/cell/messages.ts';
import { flattenError } from '../../../protocol/cell/plain-error.ts';
import { lossAccount } from '../../files/loss-account.ts';
import { ProgressRegister, phases } from '../../../protocol/cell/register.ts';
import type { ServiceCellData } from '../../../workers/service-cell.ts';
import { cellGrants } from '../../isolates/permissions.ts';
import { BoundedPort } from '../../isolates/bounded-port.ts';
import { CellCalls, isLoadedService, isNull, isStartedService, withPlace } from '../call.ts';
import { isText } from '../../isolates/untrusted-values.ts';
import { CellInbox } from '../cell-inbox.ts';
import { cellMeters } from '../../isolates/cell-meters.ts';
import { cellWatch } from '../../isolates/cell-watch.ts';
import type { CallOutcome, Cell, CellEnd, CellListener, CellSpec, CellUsage, LoadedService } from '../cell.ts';
import { cellEntry, directReads } from '../../isolates/entries.ts';
import { KillLadder, type KillLimits } from '../kill-ladder.ts';
import { hardHeapMb } from '../../isolates/memory-budget.ts';
import { killStartedBy } from '../../isolates/process-tree.ts';
import { locateThread } from '../../isolates/stack-capture.ts';
import { threadInspector } from '../../isolates/thread-inspector.ts';
import { terminateThread } from '../../isolates/thread-termination.ts';
import { ThreadVitals } from './thread-vitals.ts';
import { whenSafeToTerminate } from '../../isolates/unread-files.ts';
import type { Whereabouts } from '../../isolates/whereabouts.ts';

export interface ThreadLimits extends KillLimits {
  readonly cellMessagesPerTurn: number;
  /** An idle cell whose event loop does not turn for so long is ended. */
  readonly stalledMs: number;
}

export class ThreadCell implements Cell {
  readonly register = new ProgressRegister();
  readonly #worker: Worker;
  readonly #listener: CellListener;
  readonly #lanePort: MessagePort;
  readonly #messages: BoundedPort;
  readonly #rpcPort: MessagePort;
  readonly #api: ReturnType<typeof wrap<ServiceCellApi>>;
  readonly #calls = new CellCalls();
  readonly #ladder: KillLadder;
  readonly #threadId: number;
  readonly #folder: string;
  readonly #inbox: CellInbox;
  readonly #vitals: ThreadVitals;
  #callsPending = 0;
  #lastSent = 0;
  #ended = false;
  #unkillable = false;
  #lastUtilization: ReturnType<Worker['performance']['eventLoopUtilization']> | undefined;

  constructor(spec: CellSpec, listener: CellListener, limits: ThreadLimits) {
    this.#listener = listener;
    const rpc = new MessageChannel();
    const lane = new MessageChannel();
    this.#rpcPort = rpc.port1;
    this.#lanePort = lane.port1;
    const data: ServiceCellData = {
      rpcPort: rpc.port2,
      lanePort: lane.port2,
      register: this.register.buffer,
      logBytesPerSecond: spec.logBytesPerSecond,
      grants: spec.grants ?? cellGrants(undefined, undefined),
    };
    threadInspector.begin();
    this.#worker = new Worker(cellEntry('service-cell'), {
      name: spec.name,
      env: { ...spec.env },
      argv: [],
      execArgv: [...directReads, ...spec.execArgv],
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: hardHeapMb(spec.heapMb) },
      workerData: data,
      transferList: [rpc.port2, lane.port2],
    });
    this.#threadId = this.#worker.threadId;
    threadInspector.register(this.#threadId, this.register.gate);
    lossAccount.threadBegan(this.#threadId, spec.name);
    this.#worker.once('exit', () => lossAccount.threadEnded(this.#threadId));
    this.#folder = spec.folder;
    // The cell's bootstrap sends output as log lines; what reaches these streams went round it and is thrown away.
    this.#worker.stdout.resume();
    this.#worker.stderr.resume();
    // After its last word, exit listeners of the plugin could keep the thread alive: it is ended from here too.
    this.#inbox = new CellInbox(listener, () => this.#ladder.terminate());
    this.#messages = new BoundedPort(this.#lanePort, limits.cellMessagesPerTurn, (message) =>
      this.#inbox.receive(message),
    );
    this.#api = wrap<ServiceCellApi>(nodeEndpoint(this.#rpcPort));
    this.#ladder = new KillLadder(limits, {
      abort: (reason) => this.abort(reason),
      terminate: () => this.#terminate(),
      giveUp: () => this.#giveUp(),
    });
    this.#vitals = new ThreadVitals(
      this.#worker,
      this.register,
      {
        name: spec.name,
        heapMb: spec.heapMb,
        rssMb: spec.rssMb,
        descriptors: spec.descriptors,
        stalledMs: limits.stalledMs,
        spinMs: spec.spinMs,
      },
      {
        idle: () => this.#isIdle(),
        stalledAfter: () => this.#stalledAfter(),
        progressMark: () => this.#at(),
        lowered: () => this.#listener.lowered?.(),
        locate: (withinMs) => this.locate(withinMs),
        overstepped: (end) => this.#endFor(end),
      },
    );
    this.#worker.on('error', (error: Error & { code?: string }) => {
      this.#inbox.remember({
        reason: error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'out_of_memory' : 'ended',
        error: flattenError(error),
        exitCode: null,
      });
    });
    this.#worker.once('exit', (exitCode) =>
      this.#unkillable
        ? this.#listener.leftBehindEnded?.()
        : this.#end({
            reason: this.#ladder.climbing ? 'killed' : 'ended',
            error: { name: 'CellEnded', message: `the cell's thread ended with exit code ${String(exitCode)}` },
            exitCode,
          }),
    );
  }

  get malformed(): number {
    return this.#inbox.malformed;
  }

  async load(options: ServiceCellOptions, deadlineMs: number): Promise<CallOutcome<LoadedService>> {
    this.#inbox.allowOutputs(options.maxOutputBytes);
    this.#inbox.allowState(options.maxStateBytes);
    this.#inbox.allowCommands(options.outputs);
    const loaded = await this.#call(() => this.#api.load(options), isLoadedService, deadlineMs);
    lossAccount.threadKnown(this.#threadId, this.register.osThread);
    return withPlace(loaded, this.#folder, options.entryUrl);
  }

  start(deadlineMs: number, state?: string): Promise<CallOutcome<StartedService>> {
    this.#inbox.allowState(state?.length ?? 0);
    return this.#call(() => this.#api.start(state), isStartedService, deadlineMs);
  }

  replaceState(json: string): void {
    this.#inbox.allowState(json.length);
    if (!this.#ended) this.#lanePort.postMessage({ type: 'state', json } satisfies StateMessage);
  }

  status(deadlineMs: number): Promise<CallOutcome<string>> {
    return this.#call(() => this.#api.status(), isText, deadlineMs);
  }

  stop(deadlineMs: number): Promise<CallOutcome<null>> {
    return this.#call(() => this.#api.stop(), isNull, deadlineMs);
  }

  send(batch: BatchMessage): void {
    if (this.#ended) return;
    this.#lastSent = batch.first + batch.count - 1;
    this.#lanePort.postMessage(batch);
    cellWatch.wake();
  }

  cancel(turn: number, reason: string): void {
    if (!this.#ended) this.#lanePort.postMessage({ type: 'cancel', turn, reason } satisfies CancelMessage);
  }

  drain(): void {
    this.#messages.drain();
  }

  abort(reason: string): void {
    if (!this.#ended) this.#lanePort.postMessage({ type: 'abort', reason } satisfies AbortMessage);
  }

  kill(reason: string): void {
    if (!this.#ended) this.#ladder.climb(reason);
  }

  end(): void {
    if (!this.#ended) this.#ladder.terminate();
  }

  locate(withinMs: number): Promise<Whereabouts> {
    return locateThread(this.#threadId, this.#folder, withinMs, {
      eventLoop: () => this.#worker.performance.eventLoopUtilization(),
      osThread: this.register.osThread,
    });
  }

  usage(): CellUsage {
    const now = this.#ended ? undefined : this.#worker.performance.eventLoopUtilization();
    const since =
      now === undefined
        ? undefined
        : this.#lastUtilization === undefined
          ? now
          : this.#worker.performance.eventLoopUtilization(now, this.#lastUtilization);
    this.#lastUtilization = now;
    return {
      threadId: this.#threadId,
      heapUsedMb: Number(this.register.heapUsedMb.toFixed(1)),
      utilization: Number((since?.utilization ?? 0).toFixed(3)),
      unkillable: this.#unkillable,
    };
  }

  async #call<Value>(
    call: () => Promise<unknown>,
    isValue: (value: unknown) => value is Value,
    deadlineMs: number,
  ): Promise<CallOutcome<Value>> {
    this.#callsPending += 1;
    try {
      return await this.#calls.run(call, isValue, deadlineMs);
    } finally {
      this.#callsPending -= 1;
    }
  }

  /** Nobody waits for anything of the cell. */
  #isIdle(): boolean {
    const { phase, sequence } = this.register.read(this.#lastSent);
    return this.#callsPending === 0 && phase === phases.done && sequence === this.#lastSent;
  }

  #stalledAfter(): number | undefined {
    const { phase, sequence } = this.register.read(this.#lastSent);
    return phase === phases.done && sequence !== this.#lastSent && !this.register.halted ? sequence : undefined;
  }

  #at(): number | undefined {
    if (this.#callsPending > 0) return undefined;
    const { phase, sequence } = this.register.read(this.#lastSent);
    return phase === phases.running ? sequence : sequence + 0.5;
  }

  #endFor(end: CellEnd): void {
    if (this.#ended) return;
    this.#inbox.remember(end);
    this.#ladder.terminate();
  }

  /** What the plugin started would outlive its thread. */
  #terminate(): void {
    cellMeters.measureThread(this.#threadId);
    killStartedBy(this.register.osThread);
    threadInspector.release(this.#threadId);
    lossAccount.threadEnding(this.#threadId);
    // A cell that is not up yet ends by itself when it sees this.
    this.register.halt();
    whenSafeToTerminate(
      () => (this.#ended ? undefined : this.register.reading),
      () => this.#ended || terminateThread(this.#worker),
    );
  }

  #giveUp(): void {
    this.#unkillable = true;
    this.#worker.unref();
    this.#listener.unkillable();
    this.#end({
      reason: 'killed',
      error: { name: 'Unkillable', message: "the cell's thread did not end: it sits in native code" },
      exitCode: null,
    });
  }

  #end(end: CellEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    threadInspector.dismiss(this.#threadId);
    this.#vitals.stop();
    this.#ladder.stop();
    this.#messages.drain();
    this.#messages.close();
    this.#rpcPort.close();
    const told = this.#inbox.endOf(end);
    this.#calls.cellEnded(told);
    this.#listener.ended(told);
  }
}
