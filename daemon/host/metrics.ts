// What /metrics tells: the daemon's own figures and those of each plugin. Label sets are bounded: plugins by
// limits.plugins, tools, sources and outputs by their manifests, outcomes by the registry of errors. It is put together
// a few plugins at a time, so that no event waits for a scraper.
import type { DaemonStatus } from '../../protocol/operations/daemon.ts';
import type { SourceStatus } from '../../protocol/operations/source.ts';
import type { StoreHealth } from '../store/store.ts';
import { Labels, PrometheusText, Rows } from '../telemetry/prometheus.ts';
import type { HostedPlugin } from './hosted-plugin.ts';
import { pluginMetrics, sourceMetrics } from './plugin-metrics.ts';

export interface MetricsParts {
  readonly status: DaemonStatus;
  readonly store: StoreHealth;
  readonly ready: boolean;
  readonly plugins: readonly HostedPlugin[];
  readonly sources: readonly SourceStatus[];
}

const megabyte = 1024 * 1024;
const seconds = (milliseconds: number): number => milliseconds / 1000;
const bytesOf = (megabytes: number): number => Math.round(megabytes * megabyte);
/** As many as take about a millisecond. */
const pluginsInOneTurn = 16;

/** Metrics of one daemon. Whoever asks while they are put together gets the same text. */
export class Metrics {
  readonly #parts: () => MetricsParts;
  readonly #text = new PrometheusText();
  readonly #own = new Rows(this.#text);
  /** Rows of an unloaded plugin go with it. */
  readonly #rows = new WeakMap<HostedPlugin, Rows>();
  #making: Promise<string> | undefined;

  constructor(parts: () => MetricsParts) {
    this.#parts = parts;
  }

  text(): Promise<string> {
    this.#making ??= this.#make().finally(() => (this.#making = undefined));
    return this.#making;
  }

  async #make(): Promise<string> {
    let all = '';
    try {
      await this.#write(this.#parts());
    } finally {
      // Also what was left half written: the next scrape begins at its start.
      all = this.#text.take();
    }
    return all;
  }

  async #write(parts: MetricsParts): Promise<void> {
    this.#own.begin();
    daemonMetrics(this.#own, parts);
    for (let at = 0; at < parts.plugins.length; at += pluginsInOneTurn) {
      if (at > 0) await new Promise<void>((resolve) => setImmediate(resolve));
      for (const hosted of parts.plugins.slice(at, at + pluginsInOneTurn)) {
        const rows = this.#rowsOf(hosted);
        rows.begin();
        pluginMetrics(rows, hosted);
      }
    }
    const byId = new Map(parts.plugins.map((hosted) => [hosted.id, hosted]));
    for (const source of parts.sources) {
      const hosted = byId.get(source.plugin);
      // Behind what was told of its plugin.
      if (hosted !== undefined) sourceMetrics(this.#rowsOf(hosted), source);
    }
  }

  #rowsOf(hosted: HostedPlugin): Rows {
    const known = this.#rows.get(hosted);
    if (known !== undefined) return known;
    const rows = new Rows(this.#text, Labels.of('plugin', hosted.id));
    this.#rows.set(hosted, rows);
    return rows;
  }
}

export const storeWorks = ({ state, fault }: Pick<StoreHealth, 'state' | 'fault'>): boolean =>
  (state === 'open' || state === 'unused' || state === 'opening') && fault === null;

function daemonMetrics(rows: Rows, { status, store, ready, plugins }: MetricsParts): void {
  const { user, system } = process.cpuUsage();
  const { memory, descriptors, counts, dropped, eventLoopDelayMs, standstills, guardian, mcp } = status;
  const build = rows.labels.and('version', status.version).and('node', status.node);
  rows.gauge('nagaya_build_info', 'The version of the daemon and of Node.', 1, build);
  rows.gauge('nagaya_start_time_seconds', 'When the daemon started.', Date.parse(status.startedAt) / 1000);
  rows.gauge('nagaya_ready', '1 while /readyz answers that the daemon is ready.', ready ? 1 : 0);
  rows.counter(
    'nagaya_process_cpu_seconds_total',
    "Processor time of the daemon's process with all its thread cells.",
    (user + system) / 1e6,
  );
  rows.gauge('nagaya_process_resident_memory_bytes', 'Resident memory of the same process.', bytesOf(memory.rssMb));
  rows.gauge('nagaya_host_heap_bytes', "Heap of the daemon's main thread.", bytesOf(memory.heapUsedMb));
  rows.gauge('nagaya_process_open_fds', 'Descriptors that the process has open.', descriptors.open);
  rows.gauge('nagaya_process_max_fds', 'Descriptors that the process may have open.', descriptors.limit);
  rows.gauge(
    'nagaya_host_event_loop_delay_p99_seconds',
    "Delay of the main thread's event loop, 99th percentile.",
    seconds(eventLoopDelayMs.p99),
  );
  rows.counter(
    'nagaya_standstill_seconds_total',
    'Time in which the whole daemon stood still.',
    seconds(standstills.totalMs),
  );
  rows.counter('nagaya_host_faults_total', 'Errors of the daemon itself that it did not foresee.', status.faults);
  rows.gauge(
    'nagaya_thread_pool_full',
    "1 while libuv's pool of threads is full.",
    status.threadPool.fullSince === null ? 0 : 1,
  );
  rows.gauge(
    'nagaya_guardian_daemon_deaths',
    'Daemons that died under the guardian before this one.',
    guardian?.deaths.length,
  );
  rows.gauge('nagaya_connections', 'Open connections to the control socket.', counts.connections);
  rows.counter('nagaya_connections_refused_total', 'Connections that were one too many.', dropped.connectionsRefused);
  rows.gauge('nagaya_mcp_connections', 'MCP clients on the control socket.', mcp.connections);
  rows.gauge('nagaya_mcp_requests_open', 'HTTP requests and streams of MCP clients that are open.', mcp.requests);
  rows.gauge('nagaya_mcp_calls_pending', 'Calls of MCP clients that are not answered.', mcp.calls);
  rows.gauge('nagaya_mcp_servers', 'Hosted MCP servers that run.', mcp.servers);
  rows.gauge('nagaya_plugins', 'Plugins that are loaded.', plugins.length);
  rows.gauge('nagaya_workers', 'Workers of the embedded runtime.', counts.workers);
  rows.gauge('nagaya_workers_busy', 'Workers that handle an input.', counts.workersBusy);
  rows.gauge('nagaya_cells_unkillable', 'Cells that were given up and still exist.', counts.unkillable);
  rows.gauge('nagaya_store_usable', '0 while the store does not take what is to be kept.', storeWorks(store) ? 1 : 0);
  rows.gauge('nagaya_store_pending_commits', 'Commits that the store has not answered.', store.pending.commits);
  rows.gauge('nagaya_store_pending_bytes', 'What they hold.', store.pending.bytes);
}
