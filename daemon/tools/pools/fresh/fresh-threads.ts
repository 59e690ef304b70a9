// "fresh": a thread of its own for every call, started by tinypool. The answer comes on the call's private port and the
// thread is ended then, so that nobody waits for a thread that is slow to end.
import type { Tinypool } from 'tinypool';
import { MessageChannel, type Worker } from 'node:worker_threads';
import { flattenError } from '../../../../protocol/cell/plain-error.ts';
import type { CellPhase, ToolCellMessage, ToolTask } from '../../../../protocol/cell/tool-messages.ts';
import { ToolRegister } from '../../../../protocol/cell/tool-register.ts';
import { lossAccount } from '../../../files/loss-account.ts';
import { hardHeapMb } from '../../../isolates/memory-budget.ts';
import { locateThread } from '../../../isolates/stack-capture.ts';
import { directReads } from '../../../isolates/entries.ts';
import { threadInspector } from '../../../isolates/thread-inspector.ts';
import { endsWhenRead } from '../../../isolates/unread-files.ts';
import type { Whereabouts } from '../../../isolates/whereabouts.ts';
import type { LivingCells } from '../living-cells.ts';
import { LonePool } from '../lone-pool.ts';
import type { LoneCell, LoneCellOwner } from '../lone-run.ts';
import { ThreadPorts } from '../thread-ports.ts';
import { threadEnd } from '../thread-end.ts';
import { TinypoolCell, type TinypoolOptions } from '../tinypool-cell.ts';
import type { PoolListener, PoolSpec, ToolPool } from '../tool-pool.ts';
import { ToolThreadWatch } from '../tool-thread-watch.ts';

export async function freshThreads(spec: PoolSpec, listener: PoolListener): Promise<ToolPool> {
  const { Tinypool } = await import('tinypool');
  threadInspector.begin();
  const options: TinypoolOptions = {
    runtime: 'worker_threads',
    useAtomics: false,
    argv: [],
    execArgv: [...directReads, ...spec.execArgv],
    env: { ...spec.env },
    resourceLimits: { maxOldGenerationSizeMb: hardHeapMb(spec.cell.heapMb) },
    workerData: spec.cell,
  };
  return new LonePool(spec, listener, {
    keepsSpare: false,
    start: (owner, living) => new FreshThread({ Tinypool, options, spec, listener, living }, owner),
  });
}

interface FreshThreadParts {
  readonly Tinypool: typeof Tinypool;
  readonly options: TinypoolOptions;
  readonly spec: PoolSpec;
  readonly listener: PoolListener;
  readonly living: LivingCells;
}

class FreshThread implements LoneCell {
  readonly #owner: LoneCellOwner;
  readonly #listener: PoolListener;
  readonly #living: LivingCells;
  readonly #folder: string;
  readonly #register = new ToolRegister();
  readonly #seat: ThreadPorts;
  readonly #cell: TinypoolCell;
  readonly #watch: ToolThreadWatch;
  /** Its own modules are there. */
  #up = false;

  constructor({ Tinypool, options, spec, listener, living }: FreshThreadParts, owner: LoneCellOwner) {
    this.#owner = owner;
    this.#listener = listener;
    this.#living = living;
    this.#folder = spec.folder;
    const { port1, port2 } = new MessageChannel();
    this.#seat = new ThreadPorts(port1, this.#register, spec.limits.cellMessagesPerTurn, (message) =>
      this.#receive(message),
    );
    try {
      const preparation = { prepare: 'thread', port: port2, register: this.#register.buffer } as const;
      this.#cell = new TinypoolCell(Tinypool, options, {
        preparation,
        transferList: [port2],
        failed: (thrown) => this.#failed(thrown),
      });
    } catch (thrown) {
      this.#seat.close();
      throw thrown;
    }
    const { thread } = this.#cell.worker;
    if (thread !== undefined) this.#attend(thread, spec.cell.plugin.id);
    living.add(this.#cell.worker, this.#cell.worker.threadId, thread);
    this.#watch = new ToolThreadWatch(
      { name: spec.cell.plugin.id, heapMb: spec.cell.heapMb, rssMb: spec.rssMb, descriptors: spec.descriptors },
      {
        thread: () =>
          thread === undefined || this.phase === undefined ? undefined : { worker: thread, register: this.#register },
        locate: (withinMs) => this.#locate(withinMs),
        overstepped: (reason, error) => owner.crashed(reason, error),
      },
    );
  }

  get phase(): CellPhase | undefined {
    // A call that has ended is still running to its caller, until the answer is here.
    return this.#register.call === 0 ? undefined : (this.#register.phase ?? 'running');
  }

  get beganMs(): number | undefined {
    const { phase } = this;
    return phase === undefined || phase === 'compiling' ? undefined : this.#register.beganMs;
  }

  take(task: ToolTask): void {
    this.#cell.take(task);
  }

  abort(call: number, reason: string): void {
    this.#seat.abort(call, reason);
  }

  locate(withinMs: number): Promise<Whereabouts> {
    this.#watch.meet();
    return this.#locate(withinMs);
  }

  end(): void {
    this.#watch.measure();
    this.#living.expectEnd(this.#cell.worker);
    this.#cell.destroy();
    this.#seat.close();
    this.#watch.stop();
  }

  /** Tinypool does not notice a thread that exits, and would end one in the middle of a start. */
  #attend(thread: Worker, plugin: string): void {
    const { threadId } = thread;
    // Before its call begins, which may take the daemon down.
    lossAccount.threadBegan(threadId, plugin);
    thread.once('exit', () => lossAccount.threadEnded(threadId));
    let error: unknown = new Error('the thread ended');
    thread.on('error', (thrown: unknown) => (error = thrown));
    thread.once('exit', () => {
      this.#up = true;
      this.#failed(error);
    });
    // Its first word to the pool is that its own modules are there.
    thread.once('message', () => (this.#up = true));
    endsWhenRead(
      thread,
      () => (this.#up ? (this.phase === 'importing' ? 'plugin' : undefined) : 'own'),
      () => this.#register.osThread,
    );
  }

  #locate(withinMs: number): Promise<Whereabouts> {
    const { threadId, thread } = this.#cell.worker;
    const { osThread } = this.#register;
    return locateThread(
      threadId,
      this.#folder,
      withinMs,
      thread === undefined ? {} : { eventLoop: () => thread.performance.eventLoopUtilization(), osThread },
    );
  }

  #receive(message: ToolCellMessage): void {
    switch (message.type) {
      case 'log':
      case 'logDropped':
        this.#listener.log(message);
        return;
      case 'callProgress':
        this.#owner.progressed(message.call, message.progress);
        return;
      case 'lastAnswer':
        this.#owner.answered(message.call, message.answer);
        return;
      case 'crash':
        this.#owner.crashed(message.reason, message.error);
        return;
      case 'answer':
      case 'progress':
        // Of a pooled call, and of a process.
        return;
    }
  }

  /** What it said before its end counts first. */
  #failed(thrown: unknown): void {
    this.#owner.unfit();
    this.#seat.drain();
    this.#owner.failed(this.phase === undefined ? { kind: 'lost', error: flattenError(thrown) } : threadEnd(thrown));
  }
}
