// One thread or process of tinypool's, in a pool of its own: it runs one call, so that nothing ever has to be found out
// about which cell took which call. All that is touched of tinypool beyond its documentation is in this file: the
// thread or child process behind a worker, which is needed to end it hard, to watch it and to keep its output out of
// the daemon's.
import type { Tinypool, TinypoolChannel, TinypoolWorker } from 'tinypool';
import type { ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import type { MessagePort, Worker } from 'node:worker_threads';
import type { ToolPreparation, ToolTask } from '../../../protocol/cell/tool-messages.ts';
import { longestMs } from '../../../protocol/durations.ts';
import { cellEntry } from '../../isolates/entries.ts';
import { cellFunction } from './tool-pool.ts';

/** The version whose parts this file was written for; a test holds the installed one against it. */
export const tinypoolVersion = '2.2.0';

type TinypoolInternals = TinypoolWorker & { readonly process?: ChildProcess; readonly thread?: Worker };

export type TinypoolOptions = Omit<
  NonNullable<ConstructorParameters<typeof Tinypool>[0]>,
  'filename' | 'name' | 'minThreads' | 'maxThreads' | 'idleTimeout'
>;

export interface TinypoolCellSetting {
  readonly preparation: ToolPreparation;
  readonly transferList?: MessagePort[];
  /** What a process says beside tinypool's own messages. */
  readonly channel?: TinypoolChannel;
  /** It is no more, or never was. May come more than once. */
  failed(thrown: unknown): void;
}

export class TinypoolCell {
  readonly worker: TinypoolInternals;
  readonly #pool: Tinypool;
  readonly #setting: TinypoolCellSetting;

  /** Throws where no thread can be made. */
  constructor(Pool: typeof Tinypool, options: TinypoolOptions, setting: TinypoolCellSetting) {
    this.#setting = setting;
    // The pool would end it when it is idle, and start another in its place: both are decided elsewhere.
    this.#pool = new Pool({
      ...options,
      filename: cellEntry('tool-cell').href,
      name: cellFunction,
      minThreads: 0,
      maxThreads: 1,
      idleTimeout: longestMs,
    });
    this.#pool.on('error', (thrown: unknown) => setting.failed(thrown));
    this.#run(setting.preparation, setting.transferList);
    const [worker] = this.#pool.threads as TinypoolInternals[];
    if (worker === undefined) throw new Error('tinypool started no cell');
    this.worker = worker;
  }

  /** Its answer comes beside the pool, because the cell is ended as soon as it is there. */
  take(task: ToolTask): void {
    // A pool whose worker is gone would start another one.
    if (this.#pool.threads.includes(this.worker)) this.#run(task);
    else this.#setting.failed(new Error('the cell has ended'));
  }

  /** Ends it the way tinypool does. */
  destroy(): void {
    // The promise waits for what may never end; the living cells are counted, and waited for with a deadline,
    // elsewhere.
    this.#pool.destroy().catch(() => undefined);
  }

  #run(task: ToolPreparation | ToolTask, transferList: MessagePort[] = []): void {
    const { channel } = this.#setting;
    this.#pool
      .run(task, { transferList, ...(channel === undefined ? {} : { channel }) })
      .catch((thrown: unknown) => this.#setting.failed(thrown));
  }
}

/**
 * Tinypool makes no descriptor for a watchdog. But the pipe to a child's stdin is a socket that carries both ways, and
 * nobody uses it: its handle moves to a stream that also reads. Where Node keeps it elsewhere there is no line, and the
 * child still sees the daemon's end.
 */
export function stdinLine(child: ChildProcess): Socket | undefined {
  const stdin: (Writable & { _handle?: object | null }) | null = child.stdin;
  const handle = stdin?._handle;
  if (stdin === null || handle === undefined || handle === null) return undefined;
  stdin._handle = null;
  const options = { handle, readable: true, writable: true };
  // A living process is its pool's to wait for.
  return new Socket(options).unref();
}
