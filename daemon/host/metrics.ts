// What /metrics tells: the daemon's own figures and those of each plugin. Label sets are bounded: plugins by
// limits.plugins, tools by their manifests, outcomes by the registry of errors.
import type { DaemonStatus } from '../../protocol/operations/daemon.ts';
import type { Histogram } from '../../protocol/cell/histogram.ts';
import { cellMeters, cellParts } from '../isolates/cell-meters.ts';
import type { Service } from '../services/service.ts';
import type { StoreHealth } from '../store/store.ts';
import { PrometheusText } from '../telemetry/prometheus.ts';
import type { HostedPlugin } from './hosted-plugin.ts';

export interface MetricsParts {
  readonly status: DaemonStatus;
  readonly store: StoreHealth;
  readonly ready: boolean;
  readonly plugins: readonly HostedPlugin[];
}

const megabyte = 1024 * 1024;
const bytesOf = (megabytes: number): number => Math.round(megabytes * megabyte);
const seconds = (milliseconds: number): number => milliseconds / 1000;

export function metricsText(parts: MetricsParts): string {
  const text = new PrometheusText();
  daemonMetrics(text, parts);
  for (const hosted of parts.plugins) {
    const plugin = { plugin: hosted.id };
    usageMetrics(text, hosted, plugin);
    if (hosted.service !== undefined) serviceMetrics(text, hosted.service, plugin);
    if (hosted.plugin.manifest.tools.length > 0) toolMetrics(text, hosted, plugin);
    if (hosted.plugin.manifest.profiles.length > 0) {
      for (const [outcome, inputs] of Object.entries(hosted.inputs))
        text.counter('nagaya_worker_inputs_total', 'Inputs of workers by what they ended in.', inputs, {
          ...plugin,
          outcome,
        });
    }
  }
  return text.toString();
}

function daemonMetrics(text: PrometheusText, { status, store, ready, plugins }: MetricsParts): void {
  const { user, system } = process.cpuUsage();
  const { memory, descriptors, counts, dropped, eventLoopDelayMs, standstills, guardian } = status;
  text.gauge('nagaya_build_info', 'The version of the daemon and of Node.', 1, {
    version: status.version,
    node: status.node,
  });
  text.gauge('nagaya_start_time_seconds', 'When the daemon started.', Date.parse(status.startedAt) / 1000);
  text.gauge('nagaya_ready', '1 while /readyz answers that the daemon is ready.', ready ? 1 : 0);
  text.counter(
    'nagaya_process_cpu_seconds_total',
    "Processor time of the daemon's process with all its thread cells.",
    (user + system) / 1e6,
  );
  text.gauge('nagaya_process_resident_memory_bytes', 'Resident memory of the same process.', bytesOf(memory.rssMb));
  text.gauge('nagaya_host_heap_bytes', "Heap of the daemon's main thread.", bytesOf(memory.heapUsedMb));
  text.gauge('nagaya_process_open_fds', 'Descriptors that the process has open.', descriptors.open);
  text.gauge('nagaya_process_max_fds', 'Descriptors that the process may have open.', descriptors.limit);
  text.gauge(
    'nagaya_host_event_loop_delay_p99_seconds',
    "Delay of the main thread's event loop, 99th percentile.",
    seconds(eventLoopDelayMs.p99),
  );
  text.counter(
    'nagaya_standstill_seconds_total',
    'Time in which the whole daemon stood still.',
    seconds(standstills.totalMs),
  );
  text.counter('nagaya_host_faults_total', 'Errors of the daemon itself that it did not foresee.', status.faults);
  text.gauge(
    'nagaya_thread_pool_full',
    "1 while libuv's pool of threads is full.",
    status.threadPool.fullSince === null ? 0 : 1,
  );
  text.gauge(
    'nagaya_guardian_daemon_deaths',
    'Daemons that died under the guardian before this one.',
    guardian?.deaths.length,
  );
  text.gauge('nagaya_connections', 'Open connections to the control socket.', counts.connections);
  text.counter('nagaya_connections_refused_total', 'Connections that were one too many.', dropped.connectionsRefused);
  text.gauge('nagaya_plugins', 'Plugins that are loaded.', plugins.length);
  text.gauge('nagaya_workers', 'Workers of the embedded runtime.', counts.workers);
  text.gauge('nagaya_workers_busy', 'Workers that handle an input.', counts.workersBusy);
  text.gauge('nagaya_cells_unkillable', 'Cells that were given up and still exist.', counts.unkillable);
  text.gauge('nagaya_store_usable', '0 while the store does not take what is to be kept.', storeWorks(store) ? 1 : 0);
  text.gauge('nagaya_store_pending_commits', 'Commits that the store has not answered.', store.pending.commits);
  text.gauge('nagaya_store_pending_bytes', 'What they hold.', store.pending.bytes);
}

export const storeWorks = ({ state, fault }: Pick<StoreHealth, 'state' | 'fault'>): boolean =>
  (state === 'open' || state === 'unused' || state === 'opening') && fault === null;

function usageMetrics(text: PrometheusText, hosted: HostedPlugin, plugin: { readonly plugin: string }): void {
  cellMeters.measure(hosted.id, 'processes');
  const { manifest } = hosted.plugin;
  text.gauge('nagaya_plugin_info', 'What is loaded.', 1, {
    ...plugin,
    version: manifest.version,
    isolation: manifest.isolation,
  });
  const used = cellParts.map((part) => ({ part, ...cellMeters.usage(hosted.id, part) }));
  const sum = (of: (part: (typeof used)[number]) => number): number =>
    used.reduce((total, part) => total + of(part), 0);
  text.counter(
    'nagaya_plugin_cpu_seconds_total',
    'Processor time of all cells of the plugin, those that are gone included.',
    Number(sum(({ cpuSeconds }) => cpuSeconds).toFixed(3)),
    plugin,
  );
  for (const { part, cpuSeconds, cells } of used) {
    text.counter(
      'nagaya_plugin_part_cpu_seconds_total',
      'The same for its service, its tools and its workers.',
      cpuSeconds,
      { ...plugin, part },
    );
    text.gauge('nagaya_plugin_cells', 'Threads and processes at present.', cells, { ...plugin, part });
  }
  text.gauge('nagaya_plugin_heap_bytes', 'V8 heap of its cells.', bytesOf(sum(({ heapUsedMb }) => heapUsedMb)), plugin);
  text.gauge(
    'nagaya_plugin_off_heap_bytes',
    'Buffers and what else V8 knows to lie outside its heap.',
    bytesOf(sum(({ offHeapMb }) => offHeapMb)),
    plugin,
  );
  text.gauge(
    'nagaya_plugin_resident_memory_bytes',
    "Resident memory of its processes; threads share the daemon's.",
    bytesOf(sum(({ rssMb }) => rssMb)),
    plugin,
  );
  text.gauge(
    'nagaya_plugin_event_loop_utilization_ratio',
    'Share of time that the event loop of its busiest cell was busy.',
    Math.max(...used.map(({ eventLoopUtilization }) => eventLoopUtilization)),
    plugin,
  );
  const { lines, bytes, droppedLines } = hosted.log.counts;
  text.counter('nagaya_plugin_log_lines_total', "Lines in the plugin's log.", lines, plugin);
  text.counter('nagaya_plugin_log_bytes_total', "Bytes in the plugin's log.", bytes, plugin);
  text.counter('nagaya_plugin_log_dropped_lines_total', 'Lines beyond a budget.', droppedLines, plugin);
}

function serviceMetrics(text: PrometheusText, service: Service, plugin: { readonly plugin: string }): void {
  const { lifecycle, queue, counters, deadLetters, latency, waits, handleTimes } = service.figures();
  text.gauge('nagaya_service_lifecycle', '1 for the state that the service is in.', 1, { ...plugin, lifecycle });
  text.counter('nagaya_service_restarts_total', 'Restarts by the supervisor.', counters.restarts, plugin);
  text.gauge('nagaya_queue_depth', 'Events that have not begun.', queue.depth, plugin);
  text.gauge('nagaya_queue_capacity', 'Events that may wait.', queue.capacity, plugin);
  text.gauge('nagaya_queue_bytes', 'What they hold.', queue.bytes, plugin);
  text.gauge('nagaya_queue_oldest_age_seconds', 'Age of the oldest event.', seconds(queue.oldestAgeMs), plugin);
  text.gauge('nagaya_dead_letters', 'Dead letters that are kept.', deadLetters.count, plugin);
  text.counter('nagaya_events_accepted_total', 'Events that were accepted.', counters.enqueued, plugin);
  const outcomes = {
    handled: counters.handled,
    failed: counters.failed,
    dead_lettered: counters.deadLettered,
    discarded: counters.discarded,
  };
  for (const [outcome, count] of Object.entries(outcomes))
    text.counter('nagaya_events_total', 'Events by their outcome.', count, { ...plugin, outcome });
  const lost = { timed_out: counters.timedOut, crashed: counters.crashed, threw: counters.threw };
  for (const [reason, count] of Object.entries(lost))
    text.counter('nagaya_event_attempts_failed_total', 'Attempts that ended without an outcome.', count, {
      ...plugin,
      reason,
    });
  text.counter('nagaya_event_retries_total', 'Attempts after the first.', counters.retried, plugin);
  const rejected = {
    queue_full: counters.rejected.queueFull,
    invalid_event: counters.rejected.invalidEvent,
    not_accepting: counters.rejected.notAccepting,
  };
  for (const [reason, count] of Object.entries(rejected))
    text.counter('nagaya_events_rejected_total', 'Events that were not accepted.', count, { ...plugin, reason });
  const times: readonly (readonly [name: string, help: string, histogram: Histogram])[] = [
    ['nagaya_event_queue_wait_seconds', 'From acceptance until the cell was given the event.', waits],
    ['nagaya_event_handle_seconds', 'Inside the handler.', handleTimes],
    ['nagaya_event_latency_seconds', 'From acceptance to the outcome.', latency],
  ];
  for (const [name, help, histogram] of times) text.histogram(name, help, histogram, plugin);
}

function toolMetrics(
  text: PrometheusText,
  { toolBooks, tools }: HostedPlugin,
  plugin: { readonly plugin: string },
): void {
  for (const [tool, outcome, calls] of toolBooks)
    text.counter('nagaya_tool_calls_total', 'Calls by tool and outcome: ok, or the code of the error.', calls, {
      ...plugin,
      tool,
      outcome,
    });
  text.gauge('nagaya_tool_calls_pending', 'Calls that are not answered.', tools.pending, plugin);
  text.histogram('nagaya_tool_wait_seconds', 'From arrival until the cell began the call.', toolBooks.waits, plugin);
  text.histogram('nagaya_tool_run_seconds', 'In the cell.', toolBooks.runs, plugin);
}
