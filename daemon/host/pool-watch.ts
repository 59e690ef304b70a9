// Notices that libuv's pool of threads is full, which the host shares with all thread cells, and finds out whose
// requests fill it: until then nobody's asynchronous files, names, crypto and zlib go on. It is told in the log, in the
// status and in the timelines of those who fill it.
import { stat } from 'node:fs';
import type { DaemonStatus } from '../../protocol/operations/daemon.ts';
import { lossAccount } from '../files/loss-account.ts';
import { poolRequests } from '../isolates/pool-requests.ts';
import { type ThreadAccount, threadAccounts } from '../isolates/thread-accounts.ts';
import type { Logger } from '../telemetry/daemon-log.ts';
import type { Host } from './host.ts';

type Suspects = DaemonStatus['threadPool']['suspects'];

interface Full {
  readonly sinceMs: number;
  readonly at: string;
  suspects: Suspects;
}

/** A request that no thread of the pool has taken within this time waits behind others. */
const lookMs = 1000;
/** For the answer of one thread: it collects all its garbage, beside as many threads that compute as the pool has. */
const askMs = 30_000;
const mostSuspects = 5;
/** While it stays full, they are asked again after this. */
const askAgainLooks = 60;

/** What Node makes of the variable. */
const defaultThreads = 4;
const poolThreads = (): number =>
  Math.min(1024, Math.max(1, Number.parseInt(process.env['UV_THREADPOOL_SIZE'] ?? '', 10) || defaultThreads));

export class PoolWatch {
  readonly #host: Pick<Host, 'list'>;
  readonly #log: Logger;
  readonly #threads = poolThreads();
  readonly #timer: NodeJS.Timeout;
  /** When the request was made that has no answer yet. */
  #askedMs: number | undefined;
  #full: Full | undefined;
  #looks = 0;
  /** Threads are being asked: an answer may take longer than the wait before they are asked again. */
  #finding = false;

  constructor(host: Pick<Host, 'list'>, log: Logger) {
    this.#host = host;
    this.#log = log;
    this.#timer = setInterval(() => this.#look(), lookMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** For the status. */
  status(): DaemonStatus['threadPool'] {
    return { threads: this.#threads, fullSince: this.#full?.at ?? null, suspects: this.#full?.suspects ?? [] };
  }

  #look(): void {
    this.#looks += 1;
    const asked = this.#askedMs;
    if (asked === undefined) {
      // Without thread cells there is nobody who could fill it, and it need not even be started.
      if (threadAccounts.size > 0 || this.#full !== undefined) this.#ask();
    } else if (this.#full === undefined) {
      // An answer that came while the host's own thread was busy is taken first.
      setImmediate(() => void (this.#askedMs === asked && this.#noteFull(asked)));
    } else if (this.#looks % askAgainLooks === 0) {
      void this.#findSuspects(this.#full);
    }
  }

  #ask(): void {
    const askedMs = performance.now();
    this.#askedMs = askedMs;
    // Which file it is does not matter, as long as no disk is needed for it.
    stat('/', () => {
      this.#askedMs = undefined;
      // An answer that comes late says that the pool was full until now; whether it still is, the next one says.
      if (this.#full !== undefined && performance.now() - askedMs < lookMs) this.#noteOver(this.#full);
    });
  }

  #noteFull(sinceMs: number): void {
    const full: Full = {
      sinceMs,
      at: new Date(Date.now() - (performance.now() - sinceMs)).toISOString(),
      suspects: [],
    };
    this.#full = full;
    this.#looks = 0;
    void this.#findSuspects(full).then(() => this.#report(full));
  }

  #noteOver({ sinceMs }: Full): void {
    this.#full = undefined;
    const fullMs = Math.round(performance.now() - sinceMs);
    this.#log.info(
      { fullMs },
      `libuv's pool of threads takes requests again; it was full for ${(fullMs / 1000).toFixed(1)} s`,
    );
  }

  #report(full: Full): void {
    const { suspects } = full;
    const [is, wait, fills] = this.#full === full ? ['is', 'wait', 'fills'] : ['was', 'waited', 'filled'];
    const message = `libuv's pool of ${String(this.#threads)} threads ${is} full: asynchronous files, crypto and zlib of all thread cells ${wait}`;
    const who = suspects
      .map(({ plugin, requests }) =>
        requests === null
          ? `${plugin}, whose thread does not answer how many`
          : `${plugin} with ${String(requests)} requests`,
      )
      .join('; ');
    this.#log.warn(
      { suspects },
      `${message}. ${who === '' ? 'No thread cell says that it has requests there' : `${is === 'is' ? 'It is' : 'It was'} likely filled by ${who}`}`,
    );
    for (const { plugin, requests } of suspects) {
      const hosted = this.#host.list().find(({ id }) => id === plugin);
      hosted?.timeline.record({
        level: 'warn',
        event: 'thread_pool_full',
        message: `${message}. This plugin likely ${fills} it`,
        incarnation: hosted.service?.incarnation ?? 0,
        data: { requests },
      });
    }
  }

  /**
   * A thread that is to end and does not is waiting for its requests. Else the threads are asked, one after the other,
   * while the pool is full, and no more of them than it takes to explain it: for its answer a thread stands still while
   * it collects its garbage.
   */
  async #findSuspects(full: Full): Promise<void> {
    if (this.#finding) return;
    this.#finding = true;
    const ending = lossAccount.endingPlugins();
    full.suspects = (
      ending.length > 0 ? ending.map((plugin) => ({ plugin, requests: null })) : await this.#askThreads(full)
    ).slice(0, mostSuspects);
    this.#finding = false;
  }

  /** Those who have most first; where nobody has any, those who do not answer. */
  async #askThreads(full: Full): Promise<Suspects> {
    const counted = new Map<string, number>();
    const silent = new Set<string>();
    let explained = 0;
    for (const { plugin, threadId } of this.#inOrder()) {
      if (explained >= this.#threads || this.#full !== full) break;
      const requests = await poolRequests(threadId, askMs);
      if (requests === undefined) silent.add(plugin);
      else if (requests > 0) counted.set(plugin, (counted.get(plugin) ?? 0) + requests);
      explained += requests ?? 0;
    }
    const found = [...counted]
      .map(([plugin, requests]) => ({ plugin, requests }))
      .sort((one, other) => other.requests - one.requests);
    return found.length > 0 ? found : [...silent].map((plugin) => ({ plugin, requests: null }));
  }

  /**
   * First those whose work was begun before the pool was full, the oldest first; then those that have none, which miss
   * nothing by being asked.
   */
  #inOrder(): ThreadAccount[] {
    const rank = ({ workingSinceMs }: ThreadAccount): number => workingSinceMs ?? Infinity;
    return [...threadAccounts].sort((one, other) => (rank(one) === rank(other) ? 0 : rank(one) - rank(other)));
  }
}
