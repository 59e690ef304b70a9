// The entry of a tool's cell, loaded by the pool that owns it: a pooled thread, a thread for one call, or a child
// process. Answers go back through the pool; all else goes beside it, where a plugin cannot reach.
import { getHeapStatistics } from 'node:v8';
import { MessageChannel, type MessagePort, isMainThread, parentPort, threadId, workerData } from 'node:worker_threads';
import type { CrashReason } from '../protocol/cell/messages.ts';
import { flattenError } from '../protocol/cell/plain-error.ts';
import { monotonicMs } from '../protocol/cell/register.ts';
import type {
  AbortCallMessage,
  CellPhase,
  PooledOptions,
  PooledTask,
  SeatMessage,
  ToolAnswer,
  ToolCellMessage,
  ToolCellOptions,
  ToolPreparation,
  ToolTask,
} from '../protocol/cell/tool-messages.ts';
import { ToolRegister } from '../protocol/cell/tool-register.ts';
import { ToolTray } from '../protocol/cell/tool-tray.ts';
import { CellLog } from './cell-log.ts';
import { endCell, guardCell, hideParent, leaveBy } from './guard.ts';
import { nameChannelsFor } from './guard/channels.ts';
import { keepControlSocket } from './guard/process-control.ts';
import { layOutInspection } from './inspection.ts';
import { openDescriptors } from './guard/descriptors.ts';
import { osThread } from './os-thread.ts';
import { captured, posterOf, writeText } from './primitives.ts';
import { guardProcess, hostChannel } from './process-guard.ts';
import { denyWorkers, startWatchdog } from './start-watchdog.ts';
import { ToolRunner } from './tool-runner.ts';

type Post = (message: ToolCellMessage) => void;

/** An own reference, because the import goes blank when it is hidden from the plugin. */
const poolPort = parentPort;
/** In a child process, whose stdin nobody else uses. */
const stdinFd = 0;
const restricted = Reflect.get(process, 'permission') !== undefined;
// What it throws is thrown here, and ends the process as all else that nobody catches.
if (isMainThread) startWatchdog({ fd: stdinFd, canInspect: !restricted, ends: 'tree' });

class ToolCell {
  readonly #post: Post;
  readonly #log: CellLog;
  readonly #runner: ToolRunner;
  readonly #register: ToolRegister | undefined;
  /** Of the batch that runs here. */
  #tray: ToolTray | undefined;
  #dying = false;

  constructor(options: ToolCellOptions, post: Post, register?: ToolRegister) {
    this.#post = post;
    this.#register = register;
    this.#log = new CellLog(post, options.logBytesPerSecond);
    this.#log.captureOutput();
    this.#runner = new ToolRunner(options, this.#log, (call, phase) => this.#enter(call, phase), post);
  }

  /** The only call of this cell. */
  async run(task: ToolTask): Promise<never> {
    this.#begin(task.call);
    const { answer } = await this.#runner.run(task);
    return this.#sayLast(task.call, answer);
  }

  /**
   * Calls in their order, until all are through or the host takes back the rest. Their answers are found on the tray.
   */
  async runBatch(tray: ToolTray, { tool, calls, inputs, callIds }: PooledTask): Promise<void> {
    this.#tray = tray;
    for (let index = 0; index < calls.length; index += 1) {
      const call = calls[index] ?? 0;
      // What an earlier call left behind and nobody catches comes up in this turn, and not under the next call.
      if (index > 0) await turn();
      if (!tray.begin(index)) return;
      this.#begin(call);
      if (index === 0 && this.#runner.isCompiled(tool)) tray.start(monotonicMs());
      const callId = callIds?.[index];
      const { answer, last, reported } = await this.#runner.run({
        call,
        tool,
        inputJson: inputs[index] ?? 'null',
        ...(callId === undefined ? {} : { callId }),
      });
      if (last) await this.#sayLast(call, answer);
      // The host may look at the tray before it reads the messages that came earlier.
      if (!answer.ok || reported || !tray.put(index, answer, writeText)) {
        this.#post({ type: 'answer', call, answer });
        tray.pass(index);
      }
      this.#register?.enter(call, 'ended');
    }
  }

  #begin(call: number): void {
    if (this.#register !== undefined) this.#register.begin(call, threadId, monotonicMs());
  }

  /** Never resolves: the pool must not believe this cell free, so that it never hears of the end of this call. */
  #sayLast(call: number, answer: ToolAnswer): Promise<never> {
    this.#log.flush();
    this.#post({ type: 'lastAnswer', call, answer });
    this.#register?.enter(call, 'ended');
    return new Promise(() => {});
  }

  /** The host's only message. */
  readonly receive = (message: unknown): void => {
    const { type, call, reason } = message as AbortCallMessage;
    if (type === 'abortCall') this.#runner.abort(call, reason);
  };

  /** Says the last word; false when it was said before. */
  lastWord(reason: CrashReason, thrown: unknown): boolean {
    if (this.#dying) return false;
    this.#dying = true;
    this.#log.flush();
    this.#post({ type: 'crash', reason, error: flattenError(thrown) });
    return true;
  }

  #enter(call: number, phase: CellPhase): void {
    const register = this.#register;
    if (register === undefined) {
      this.#post({ type: 'progress', call, phase });
      return;
    }
    if (register.phase === 'compiling') {
      const nowMs = monotonicMs();
      register.beginAgain(nowMs);
      this.#tray?.start(nowMs);
    }
    register.enter(call, phase);
  }
}

const turn = (): Promise<void> =>
  new Promise((resolve) => {
    captured.setImmediate(resolve);
  });

function inThread(options: ToolCellOptions, port: MessagePort, register: ToolRegister): ToolCell {
  const cell = new ToolCell(options, posterOf(port), register);
  port.on('message', cell.receive);
  leaveBy(register.gate);
  nameChannelsFor(options.plugin.id);
  guardCell(
    {
      fatal: (reason, thrown) => {
        if (cell.lastWord(reason, thrown)) endCell();
      },
    },
    options.grants,
  );
  register.reportThread(osThread());
  const reportMemory = (): void => {
    const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
    register.reportMemory(heap, external);
    register.reportDescriptors(openDescriptors());
  };
  // What is open now is the cell's own.
  layOutInspection({ ownResources: process.getActiveResourcesInfo(), reportMemory });
  return cell;
}

/** A pooled thread brings its own private port, because its pool passes none on. */
function seated(options: ToolCellOptions): ToolCell {
  const { port1: mine, port2: hosts } = new MessageChannel();
  const register = new ToolRegister();
  poolPort?.postMessage({ type: 'seat', threadId, port: hosts, register: register.buffer } satisfies SeatMessage, [
    hosts,
  ]);
  // Only when this very module has been evaluated.
  queueMicrotask(() => register.comeUp());
  return inThread(options, mine, register);
}

function inProcess(options: ToolCellOptions): ToolCell {
  // Tinypool's own, and none of the names the plugin asked for.
  delete process.env['TINYPOOL_WORKER_ID'];
  const cell = new ToolCell(options, (message) => hostChannel.post(message));
  hostChannel.receive(cell.receive);
  guardProcess({ fatal: (reason, thrown) => void cell.lastWord(reason, thrown) });
  const { worker, controlSocket } = options.grants;
  if (restricted && !worker) denyWorkers();
  if (controlSocket !== undefined) keepControlSocket(controlSocket, worker);
  layOutInspection({ ownResources: process.getActiveResourcesInfo(), reportMemory: () => {} });
  return cell;
}

// Which pool this thread belongs to shows in its data: tinypool puts its own before ours.
const pooledOptions = isMainThread || Array.isArray(workerData) ? undefined : (workerData as PooledOptions);
const trays = pooledOptions?.trays.map((buffer, id) => new ToolTray(id, buffer)) ?? [];
const freshOptions = !isMainThread && Array.isArray(workerData) ? (workerData[1] as ToolCellOptions) : undefined;

let cell: ToolCell | undefined = pooledOptions === undefined ? undefined : seated(pooledOptions);
let hidden = false;

function prepared(preparation: ToolPreparation): ToolCell {
  if (preparation.prepare === 'process') return inProcess(preparation.options);
  if (freshOptions === undefined) throw new Error('a thread for one call is started with its options');
  return inThread(freshOptions, preparation.port, new ToolRegister(preparation.register));
}

function trayOf({ tray: id, buffer }: PooledTask): ToolTray {
  const tray = buffer === undefined ? trays[id] : new ToolTray(id, buffer);
  if (tray === undefined) throw new Error('a task comes with a tray that this thread knows');
  tray.rewind();
  return tray;
}

export async function runTool(task: ToolPreparation | ToolTask | PooledTask): Promise<void> {
  // Not earlier: the pool says "ready" through parentPort once this module has been loaded.
  if (!hidden && !isMainThread) {
    hideParent();
    poolPort?.close();
    hidden = true;
  }
  if ('prepare' in task) cell = prepared(task);
  else if ('tray' in task) await cell?.runBatch(trayOf(task), task);
  else await cell?.run(task);
}
