// What /metrics tells of one plugin: what its cells use, and how its events, calls, inputs, sources and commands fare.
// The figures of its cells are those of the last look at them, at most a quarter of a second ago.
import type { Histogram } from '../../protocol/cell/histogram.ts';
import type { SourceStatus } from '../../protocol/operations/source.ts';
import { cellMeters, cellParts } from '../isolates/cell-meters.ts';
import type { Service } from '../services/service.ts';
import type { Labels, PrometheusText } from '../telemetry/prometheus.ts';
import type { HostedPlugin } from './hosted-plugin.ts';

const megabyte = 1024 * 1024;
const bytesOf = (megabytes: number): number => Math.round(megabytes * megabyte);
const seconds = (milliseconds: number): number => milliseconds / 1000;
const toMilliseconds = (second: number): number => Math.round(second * 1000) / 1000;

export function pluginMetrics(text: PrometheusText, hosted: HostedPlugin, plugin: Labels): void {
  const { manifest } = hosted.plugin;
  usageMetrics(text, hosted, plugin);
  shareMetrics(text, hosted, plugin);
  if (hosted.service !== undefined) serviceMetrics(text, hosted.service, plugin);
  if (hosted.toolList.length > 0) toolMetrics(text, hosted, plugin);
  if (manifest.profiles.length > 0) {
    for (const [outcome, inputs] of Object.entries(hosted.inputs))
      text.counter(
        'nagaya_worker_inputs_total',
        'Inputs of workers by what they ended in.',
        inputs,
        plugin.and('outcome', outcome),
      );
  }
  if (manifest.service?.outputs.length !== 0) outputMetrics(text, hosted, plugin);
}

function usageMetrics(text: PrometheusText, hosted: HostedPlugin, plugin: Labels): void {
  const { manifest } = hosted.plugin;
  const info = plugin.and('version', manifest.version).and('isolation', manifest.isolation);
  text.gauge('nagaya_plugin_info', 'What is loaded.', 1, info);
  let cpuSeconds = 0;
  let heapMb = 0;
  let offHeapMb = 0;
  let rssMb = 0;
  let utilization = 0;
  for (const part of cellParts) {
    const used = cellMeters.usage(hosted.id, part);
    if (used.cells === 0 && used.cpuSeconds === 0 && !hasPart(hosted, part)) continue;
    const labels = plugin.and('part', part);
    cpuSeconds += used.cpuSeconds;
    heapMb += used.heapUsedMb;
    offHeapMb += used.offHeapMb;
    rssMb += used.rssMb;
    utilization = Math.max(utilization, used.eventLoopUtilization);
    text.counter(
      'nagaya_plugin_part_cpu_seconds_total',
      'The processor time of the plugin for its service, its tools and its workers.',
      used.cpuSeconds,
      labels,
    );
    text.gauge('nagaya_plugin_cells', 'Threads and processes at present.', used.cells, labels);
  }
  text.counter(
    'nagaya_plugin_cpu_seconds_total',
    'Processor time of all cells of the plugin, those that are gone included.',
    toMilliseconds(cpuSeconds),
    plugin,
  );
  text.gauge('nagaya_plugin_heap_bytes', 'V8 heap of its cells.', bytesOf(heapMb), plugin);
  text.gauge(
    'nagaya_plugin_off_heap_bytes',
    'Buffers and what else V8 knows to lie outside its heap.',
    bytesOf(offHeapMb),
    plugin,
  );
  text.gauge(
    'nagaya_plugin_resident_memory_bytes',
    "Resident memory of its processes; threads share the daemon's.",
    bytesOf(rssMb),
    plugin,
  );
  text.gauge(
    'nagaya_plugin_event_loop_utilization_ratio',
    'Share of time that the event loop of its busiest cell was busy.',
    utilization,
    plugin,
  );
  const { lines, bytes, droppedLines } = hosted.log.counts;
  text.counter('nagaya_plugin_log_lines_total', "Lines in the plugin's log.", lines, plugin);
  text.counter('nagaya_plugin_log_bytes_total', "Bytes in the plugin's log.", bytes, plugin);
  text.counter('nagaya_plugin_log_dropped_lines_total', 'Lines beyond a budget.', droppedLines, plugin);
}

const hasPart = ({ service, plugin, toolList }: HostedPlugin, part: (typeof cellParts)[number]): boolean =>
  part === 'service'
    ? service !== undefined
    : part === 'tools'
      ? toolList.length > 0
      : plugin.manifest.profiles.length > 0;

/** Only of plugins that are held to a share. */
function shareMetrics(text: PrometheusText, { sharing: { view } }: HostedPlugin, plugin: Labels): void {
  if (view === null) return;
  text.gauge('nagaya_plugin_cpu_share_ratio', 'limits.cpuShare, of one processor.', view.share, plugin);
  text.gauge(
    'nagaya_plugin_cpu_lowered',
    '1 while its cells have a lower priority because it used more than its share.',
    view.state === 'within' ? 0 : 1,
    plugin,
  );
  text.gauge(
    'nagaya_plugin_cpu_paused',
    '1 while its service is paused between events for the same reason.',
    view.state === 'paused' ? 1 : 0,
    plugin,
  );
  text.counter('nagaya_plugin_cpu_paused_seconds_total', 'Time it was paused.', seconds(view.pausedMs), plugin);
}

function serviceMetrics(text: PrometheusText, service: Service, plugin: Labels): void {
  const { lifecycle, queue, counters, deadLetters, latency, waits, handleTimes } = service.figures();
  text.gauge(
    'nagaya_service_lifecycle',
    '1 for the state that the service is in.',
    1,
    plugin.and('lifecycle', lifecycle),
  );
  text.counter('nagaya_service_restarts_total', 'Restarts by the supervisor.', counters.restarts, plugin);
  text.gauge('nagaya_queue_depth', 'Events that have not begun.', queue.depth, plugin);
  text.gauge('nagaya_queue_capacity', 'Events that may wait.', queue.capacity, plugin);
  text.gauge('nagaya_queue_bytes', 'What they hold.', queue.bytes, plugin);
  text.gauge('nagaya_queue_oldest_age_seconds', 'Age of the oldest event.', seconds(queue.oldestAgeMs), plugin);
  text.gauge('nagaya_dead_letters', 'Dead letters that are kept.', deadLetters.count, plugin);
  eventMetrics(text, counters, plugin);
  const times: readonly (readonly [name: string, help: string, histogram: Histogram])[] = [
    ['nagaya_event_queue_wait_seconds', 'From acceptance until the cell was given the event.', waits],
    ['nagaya_event_handle_seconds', 'Inside the handler.', handleTimes],
    ['nagaya_event_latency_seconds', 'From acceptance to the outcome.', latency],
  ];
  for (const [name, help, histogram] of times) text.histogram(name, help, histogram, plugin);
}

function eventMetrics(
  text: PrometheusText,
  counters: ReturnType<Service['figures']>['counters'],
  plugin: Labels,
): void {
  text.counter('nagaya_events_accepted_total', 'Events that were accepted.', counters.enqueued, plugin);
  const by = (name: string, help: string, label: string, counts: Readonly<Record<string, number>>): void => {
    for (const value in counts) text.counter(name, help, counts[value], plugin.and(label, value));
  };
  by('nagaya_events_total', 'Events by their outcome.', 'outcome', {
    handled: counters.handled,
    failed: counters.failed,
    dead_lettered: counters.deadLettered,
    discarded: counters.discarded,
  });
  by('nagaya_event_attempts_failed_total', 'Attempts that ended without an outcome.', 'reason', {
    timed_out: counters.timedOut,
    crashed: counters.crashed,
    threw: counters.threw,
  });
  text.counter('nagaya_event_retries_total', 'Attempts after the first.', counters.retried, plugin);
  by('nagaya_events_rejected_total', 'Events that were not accepted.', 'reason', {
    queue_full: counters.rejected.queueFull,
    invalid_event: counters.rejected.invalidEvent,
    not_accepting: counters.rejected.notAccepting,
  });
}

function toolMetrics(text: PrometheusText, { toolBooks, tools }: HostedPlugin, plugin: Labels): void {
  for (const [tool, outcome, calls] of toolBooks)
    text.counter(
      'nagaya_tool_calls_total',
      'Calls by tool and outcome: ok, or the code of the error.',
      calls,
      plugin.and('tool', tool).and('outcome', outcome),
    );
  text.gauge('nagaya_tool_calls_pending', 'Calls that are not answered.', tools.pending, plugin);
  text.histogram('nagaya_tool_wait_seconds', 'From arrival until the cell began the call.', toolBooks.waits, plugin);
  text.histogram('nagaya_tool_run_seconds', 'In the cell.', toolBooks.runs, plugin);
}

function outputMetrics(text: PrometheusText, { outputs }: HostedPlugin, plugin: Labels): void {
  for (const { name, state, pending, sent, failed, deadLetters } of outputs.list()) {
    const output = plugin.and('output', name);
    text.gauge(
      'nagaya_output_open',
      '1 while the output can deliver; 0 while all that waits is retried, or it is faulty.',
      state === 'open' ? 1 : 0,
      output,
    );
    text.gauge('nagaya_output_pending_commands', 'Commands that wait to be delivered.', pending, output);
    text.counter('nagaya_output_commands_delivered_total', 'Commands that were delivered.', sent, output);
    text.counter('nagaya_output_attempts_failed_total', 'Attempts to deliver that failed.', failed, output);
    text.gauge('nagaya_output_dead_letters', 'Commands that could not be delivered.', deadLetters, output);
  }
}

export function sourceMetrics(text: PrometheusText, { state, counters }: SourceStatus, source: Labels): void {
  text.gauge('nagaya_source_open', '1 while events can arrive from the source.', state === 'open' ? 1 : 0, source);
  text.gauge('nagaya_source_state', '1 for the state that the source is in.', 1, source.and('state', state));
  text.counter('nagaya_source_received_total', 'Requests, messages, files and due times.', counters.received, source);
  const outcomes = {
    accepted: counters.accepted,
    duplicate: counters.duplicates,
    refused: counters.refused,
    ignored: counters.ignored,
  };
  for (const [outcome, count] of Object.entries(outcomes))
    text.counter('nagaya_source_events_total', 'What became of them.', count, source.and('outcome', outcome));
  text.counter('nagaya_source_reconnects_total', 'Connections that were made again.', counters.reconnects, source);
}
