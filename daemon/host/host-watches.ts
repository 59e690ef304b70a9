// What looks at the daemon itself at intervals: its event loop, its process, libuv's pool of threads, the time it stood
// still, and the counters of its services for whoever follows them. It also has their histories written.
import { EventLoopMonitor } from '../telemetry/event-loop.ts';
import type { Logger } from '../telemetry/daemon-log.ts';
import { realClock } from '../time/real-clock.ts';
import { awakeTime } from '../time/awake-time.ts';
import type { Host } from './host.ts';
import { CpuShares } from './cpu-shares.ts';
import { PoolWatch } from './pool-watch.ts';
import { ProcessWatch } from './process-watch.ts';
import { reportStandstill } from './standstill-report.ts';

interface WatchLimits {
  readonly daemonRssMb: number;
  readonly countersEveryMs: number;
}

/** What a daemon that is killed may lose of timelines. */
const historyEveryMs = 1000;

export class HostWatches {
  readonly eventLoop = new EventLoopMonitor();
  readonly process: ProcessWatch;
  readonly pool: PoolWatch;
  readonly #cpuShares: CpuShares;
  readonly #counters: NodeJS.Timeout;
  readonly #histories: NodeJS.Timeout;

  constructor(host: Host, limits: WatchLimits, log: Logger) {
    this.process = new ProcessWatch(limits, log);
    this.pool = new PoolWatch(host, log);
    this.#cpuShares = new CpuShares(realClock, () => host.list().map(({ sharing }) => sharing));
    awakeTime.watch((standstill) => reportStandstill(standstill, host, log));
    const last = new Map<string, string>();
    this.#counters = setInterval(() => host.publishCounters(last), limits.countersEveryMs).unref();
    this.#histories = setInterval(
      () => host.list().forEach(({ history, historySource }) => history.keep(historySource())),
      historyEveryMs,
    ).unref();
  }

  stop(): void {
    clearInterval(this.#counters);
    clearInterval(this.#histories);
    this.eventLoop.stop();
    this.process.stop();
    this.pool.stop();
    this.#cpuShares.stop();
  }
}
