// Daemons outside the cluster, seen from the host: a runtime of each, and the questions to it, which a thread of its
// own asks over the network. Each question settles once, by its answer or its deadline.
import { HostError } from '../../../protocol/errors.ts';
import type {
  FromRemote,
  RemoteAnswer,
  RemoteDaemon,
  RemoteOperation,
  RemoteRows,
  ToRemote,
} from '../../../protocol/remote/messages.ts';
import type { RuntimeCapabilities } from '../../../protocol/runtime.ts';
import type { Limits } from '../../config/schema.ts';
import { ThreadSupervisor } from '../../isolates/thread-supervisor.ts';
import type { Logger } from '../../telemetry/daemon-log.ts';
import type { Clock, Timer } from '../../time/clock.ts';
import { remoteRows } from './remote-rows.ts';
import { RemoteRuntime } from './remote-runtime.ts';
import { type SpawnRemote, spawnRemote } from './remote-thread.ts';

export interface RemoteDaemonsOptions {
  readonly daemons: readonly RemoteDaemon[];
  readonly limits: Pick<Limits, 'answerBytes' | 'nesting' | 'runtimeMs' | 'runtimeCalls' | 'edgeStalledMs'>;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn'>;
  readonly spawn?: SpawnRemote;
}

interface Waiting {
  readonly daemon: string;
  settle(answer: RemoteAnswer): void;
}

/** The thread keeps the deadline; this one is for a thread that is gone. */
const marginMs = 1000;
/** What it can do is said by its first answer; until then everything is asked there, and refused there. */
const presumed: RuntimeCapabilities = {
  canListWorkers: true,
  canShowWorker: true,
  canCreateWorker: true,
  canSendInput: true,
  canStopWorker: true,
  canCancelWorker: true,
  canReadTranscript: true,
  canStreamEvents: true,
  maxWorkers: 0,
};

export class RemoteDaemons {
  readonly runtimes: readonly RemoteRuntime[];
  readonly #options: RemoteDaemonsOptions;
  /** What is asked of them. */
  readonly #rows: RemoteRows;
  readonly #supervisor: ThreadSupervisor<ToRemote, FromRemote>;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;

  constructor(options: RemoteDaemonsOptions) {
    this.#options = options;
    const { daemons, limits, clock, log, spawn = spawnRemote } = options;
    const { rows, event } = remoteRows();
    this.#rows = rows;
    const data = {
      rows,
      event,
      // Nothing but what the thread needs.
      daemons: daemons.map(({ id, url, tokenFile, runtime }) => ({ id, url, tokenFile, runtime })),
      answerBytes: limits.answerBytes,
      nesting: limits.nesting,
      answerMs: limits.runtimeMs,
    };
    this.#supervisor = new ThreadSupervisor({
      spawn: (listener) => spawn(data, listener),
      look: (id) => ({ type: 'look', id }),
      answers: (message) => (message.type === 'looked' ? message.look : undefined),
      last: { type: 'close' },
      stalledMs: limits.edgeStalledMs,
      clock,
      began: () => undefined,
      message: (message) => {
        if (message.type !== 'answered') return;
        for (const { id, answer } of message.answers) this.#waiting.get(id)?.settle(answer);
      },
      lost: (why) => {
        log.warn({ why }, 'the thread of remote daemons is gone; another one is started');
        this.#lost();
      },
    });
    this.runtimes = daemons.map(
      ({ id, runtime }) =>
        new RemoteRuntime({
          runtimeId: id,
          ownId: runtime,
          displayName: `${runtime === 'local' ? 'Services' : 'Workers'} of ${id}`,
          capabilities: presumed,
          moreMs: marginMs,
          clock,
          ask: (operation, params, asked) => this.#ask(id, operation, params, asked),
        }),
    );
  }

  start(): void {
    this.#supervisor.start();
  }

  /** The files with the tokens may hold others by now. */
  reread(): void {
    this.#supervisor.post({ type: 'reread' });
  }

  close(): void {
    this.#supervisor.drain();
    this.#lost();
    this.#supervisor.close();
  }

  #ask(
    daemon: string,
    operation: string,
    params: object,
    { timeoutMs, signal }: { readonly timeoutMs?: number; readonly signal?: AbortSignal | undefined },
  ): Promise<unknown> {
    const { clock, limits } = this.#options;
    if (!isIn(this.#rows, operation)) return Promise.reject(unsupported(daemon, operation));
    if (this.#waitingFor(daemon) >= limits.runtimeCalls) return Promise.reject(tooMany(daemon, limits.runtimeCalls));
    if (!this.#supervisor.running) return Promise.reject(gone(daemon));
    const id = (this.#last += 1);
    return new Promise((resolve, reject) => {
      const cancel = (): void => this.#supervisor.post({ type: 'cancel', id });
      const settle = (answer: RemoteAnswer): void => {
        timer.cancel();
        this.#waiting.delete(id);
        signal?.removeEventListener('abort', cancel);
        if (answer.ok) resolve(answer.value);
        else reject(new HostError(answer.code, answer.message, answer.details));
      };
      // A page of events waits by itself, beyond what the daemon may take to answer.
      const longMs = limits.runtimeMs + (timeoutMs ?? 0) + marginMs;
      const timer: Timer = clock.after(longMs, () => {
        cancel();
        const { code, message, details } = gone(daemon);
        settle({ ok: false, code, message, details });
      });
      this.#waiting.set(id, { daemon, settle });
      signal?.addEventListener('abort', cancel, { once: true });
      this.#supervisor.post({ type: 'ask', id, daemon, operation, params: { ...params }, timeoutMs: limits.runtimeMs });
      if (signal?.aborted === true) cancel();
    });
  }

  #waitingFor(daemon: string): number {
    let count = 0;
    for (const one of this.#waiting.values()) if (one.daemon === daemon) count += 1;
    return count;
  }

  /** Nobody answers any more. */
  #lost(): void {
    for (const { daemon, settle } of [...this.#waiting.values()]) {
      const { code, message, details } = gone(daemon);
      settle({ ok: false, code, message, details });
    }
  }
}

const isIn = (rows: RemoteRows, operation: string): operation is RemoteOperation => Object.hasOwn(rows, operation);

const unsupported = (runtimeId: string, operation: string): HostError =>
  new HostError(
    'unsupported_operation',
    `The daemon of the runtime ${runtimeId} does not do ${operation} over the network.`,
    { runtimeId, instead: 'the unix socket of that daemon' },
  );

const gone = (runtimeId: string): HostError =>
  new HostError('runtime_unavailable', `The runtime ${runtimeId} is unavailable: the thread that asks it is gone.`, {
    runtimeId,
  });

const tooMany = (runtimeId: string, maximum: number): HostError =>
  new HostError(
    'runtime_unavailable',
    `The runtime ${runtimeId} is unavailable: ${String(maximum)} calls wait for it.`,
    { runtimeId, limit: 'limits.runtimeCalls', maximum },
  );
