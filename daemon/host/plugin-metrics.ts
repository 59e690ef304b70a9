// What /metrics tells of one plugin: what its cells use, and how its events, calls, inputs, sources and commands fare.
// The figures of its cells are those of the last look at them, at most a quarter of a second ago.
import type { SourceStatus } from '../../protocol/operations/source.ts';
import { cellMeters, cellParts } from '../isolates/cell-meters.ts';
import type { Service } from '../services/service.ts';
import { Labels, type Rows } from '../telemetry/prometheus.ts';
import type { HostedPlugin } from './hosted-plugin.ts';

const megabyte = 1024 * 1024;
const bytesOf = (megabytes: number): number => Math.round(megabytes * megabyte);
const seconds = (milliseconds: number): number => milliseconds / 1000;
const toMilliseconds = (second: number): number => Math.round(second * 1000) / 1000;

/** Of every plugin the same ones, so that they are made once. */
const labelled = <Value extends string>(name: string, values: readonly Value[]): Readonly<Record<Value, Labels>> =>
  Object.fromEntries(values.map((value) => [value, Labels.of(name, value)])) as Record<Value, Labels>;

const parts = labelled('part', cellParts);
const outcomes = labelled('outcome', ['handled', 'failed', 'dead_lettered', 'discarded']);
const failures = labelled('reason', ['timed_out', 'crashed', 'threw']);
const rejections = labelled('reason', ['queue_full', 'invalid_event', 'not_accepting']);

export function pluginMetrics(rows: Rows, hosted: HostedPlugin): void {
  const { manifest } = hosted.plugin;
  usageMetrics(rows, hosted);
  shareMetrics(rows, hosted);
  if (hosted.service !== undefined) serviceMetrics(rows, hosted.service);
  if (hosted.toolList.length > 0) toolMetrics(rows, hosted);
  if (manifest.profiles.length > 0) {
    for (const [outcome, inputs] of Object.entries(hosted.inputs))
      rows.counter(
        'nagaya_worker_inputs_total',
        'Inputs of workers by what they ended in.',
        inputs,
        rows.labels.and('outcome', outcome),
      );
  }
  if (manifest.service?.outputs.length !== 0) outputMetrics(rows, hosted);
}

function usageMetrics(rows: Rows, hosted: HostedPlugin): void {
  const { manifest } = hosted.plugin;
  const info = rows.labels.and('version', manifest.version).and('isolation', manifest.isolation);
  rows.gauge('nagaya_plugin_info', 'What is loaded.', 1, info);
  let cpuSeconds = 0;
  let heapMb = 0;
  let offHeapMb = 0;
  let rssMb = 0;
  let utilization = 0;
  for (const part of cellParts) {
    const used = cellMeters.usage(hosted.id, part);
    if (used.cells === 0 && used.cpuSeconds === 0 && !hasPart(hosted, part)) continue;
    const labels = parts[part];
    cpuSeconds += used.cpuSeconds;
    heapMb += used.heapUsedMb;
    offHeapMb += used.offHeapMb;
    rssMb += used.rssMb;
    utilization = Math.max(utilization, used.eventLoopUtilization);
    rows.counter(
      'nagaya_plugin_part_cpu_seconds_total',
      'The processor time of the plugin for its service, its tools and its workers.',
      used.cpuSeconds,
      labels,
    );
    rows.gauge('nagaya_plugin_cells', 'Threads and processes at present.', used.cells, labels);
  }
  rows.counter(
    'nagaya_plugin_cpu_seconds_total',
    'Processor time of all cells of the plugin, those that are gone included.',
    toMilliseconds(cpuSeconds),
  );
  rows.gauge('nagaya_plugin_heap_bytes', 'V8 heap of its cells.', bytesOf(heapMb));
  rows.gauge(
    'nagaya_plugin_off_heap_bytes',
    'Buffers and what else V8 knows to lie outside its heap.',
    bytesOf(offHeapMb),
  );
  rows.gauge(
    'nagaya_plugin_resident_memory_bytes',
    "Resident memory of its processes; threads share the daemon's.",
    bytesOf(rssMb),
  );
  rows.gauge(
    'nagaya_plugin_event_loop_utilization_ratio',
    'Share of time that the event loop of its busiest cell was busy.',
    utilization,
  );
  const { lines, bytes, droppedLines } = hosted.log.counts;
  rows.counter('nagaya_plugin_log_lines_total', "Lines in the plugin's log.", lines);
  rows.counter('nagaya_plugin_log_bytes_total', "Bytes in the plugin's log.", bytes);
  rows.counter('nagaya_plugin_log_dropped_lines_total', 'Lines beyond a budget.', droppedLines);
}

const hasPart = ({ service, plugin, toolList }: HostedPlugin, part: (typeof cellParts)[number]): boolean =>
  part === 'service'
    ? service !== undefined
    : part === 'tools'
      ? toolList.length > 0
      : plugin.manifest.profiles.length > 0;

/** Only of plugins that are held to a share. */
function shareMetrics(rows: Rows, { sharing: { view } }: HostedPlugin): void {
  if (view === null) return;
  rows.gauge('nagaya_plugin_cpu_share_ratio', 'limits.cpuShare, of one processor.', view.share);
  rows.gauge(
    'nagaya_plugin_cpu_lowered',
    '1 while its cells have a lower priority because it used more than its share.',
    view.state === 'within' ? 0 : 1,
  );
  rows.gauge(
    'nagaya_plugin_cpu_paused',
    '1 while its service is paused between events for the same reason.',
    view.state === 'paused' ? 1 : 0,
  );
  rows.counter('nagaya_plugin_cpu_paused_seconds_total', 'Time it was paused.', seconds(view.pausedMs));
}

function serviceMetrics(rows: Rows, service: Service): void {
  const { lifecycle, queue, counters, deadLetters, latency, waits, handleTimes } = service.figures();
  rows.gauge(
    'nagaya_service_lifecycle',
    '1 for the state that the service is in.',
    1,
    rows.labels.and('lifecycle', lifecycle),
  );
  rows.counter('nagaya_service_restarts_total', 'Restarts by the supervisor.', counters.restarts);
  rows.gauge('nagaya_queue_depth', 'Events that have not begun.', queue.depth);
  rows.gauge('nagaya_queue_capacity', 'Events that may wait.', queue.capacity);
  rows.gauge('nagaya_queue_bytes', 'What they hold.', queue.bytes);
  rows.gauge('nagaya_queue_oldest_age_seconds', 'Age of the oldest event.', seconds(queue.oldestAgeMs));
  rows.gauge('nagaya_dead_letters', 'Dead letters that are kept.', deadLetters.count);
  eventMetrics(rows, counters);
  rows.histogram('nagaya_event_queue_wait_seconds', 'From acceptance until the cell was given the event.', waits);
  rows.histogram('nagaya_event_handle_seconds', 'Inside the handler.', handleTimes);
  rows.histogram('nagaya_event_latency_seconds', 'From acceptance to the outcome.', latency);
}

function eventMetrics(rows: Rows, counters: ReturnType<Service['figures']>['counters']): void {
  rows.counter('nagaya_events_accepted_total', 'Events that were accepted.', counters.enqueued);
  const ended = (count: number, labels: Labels): void =>
    rows.counter('nagaya_events_total', 'Events by their outcome.', count, labels);
  ended(counters.handled, outcomes.handled);
  ended(counters.failed, outcomes.failed);
  ended(counters.deadLettered, outcomes.dead_lettered);
  ended(counters.discarded, outcomes.discarded);
  const failed = (count: number, labels: Labels): void =>
    rows.counter('nagaya_event_attempts_failed_total', 'Attempts that ended without an outcome.', count, labels);
  failed(counters.timedOut, failures.timed_out);
  failed(counters.crashed, failures.crashed);
  failed(counters.threw, failures.threw);
  rows.counter('nagaya_event_retries_total', 'Attempts after the first.', counters.retried);
  const rejected = (count: number, labels: Labels): void =>
    rows.counter('nagaya_events_rejected_total', 'Events that were not accepted.', count, labels);
  rejected(counters.rejected.queueFull, rejections.queue_full);
  rejected(counters.rejected.invalidEvent, rejections.invalid_event);
  rejected(counters.rejected.notAccepting, rejections.not_accepting);
}

function toolMetrics(rows: Rows, { toolBooks, tools }: HostedPlugin): void {
  for (const [tool, outcome, calls] of toolBooks)
    rows.counter(
      'nagaya_tool_calls_total',
      'Calls by tool and outcome: ok, or the code of the error.',
      calls,
      rows.labels.and('tool', tool).and('outcome', outcome),
    );
  rows.gauge('nagaya_tool_calls_pending', 'Calls that are not answered.', tools.pending);
  rows.histogram('nagaya_tool_wait_seconds', 'From arrival until the cell began the call.', toolBooks.waits);
  rows.histogram('nagaya_tool_run_seconds', 'In the cell.', toolBooks.runs);
}

function outputMetrics(rows: Rows, { outputs }: HostedPlugin): void {
  for (const { name, state, pending, sent, failed, deadLetters } of outputs.list()) {
    const output = rows.labels.and('output', name);
    rows.gauge(
      'nagaya_output_open',
      '1 while the output can deliver; 0 while all that waits is retried, or it is faulty.',
      state === 'open' ? 1 : 0,
      output,
    );
    rows.gauge('nagaya_output_pending_commands', 'Commands that wait to be delivered.', pending, output);
    rows.counter('nagaya_output_commands_delivered_total', 'Commands that were delivered.', sent, output);
    rows.counter('nagaya_output_attempts_failed_total', 'Attempts to deliver that failed.', failed, output);
    rows.gauge('nagaya_output_dead_letters', 'Commands that could not be delivered.', deadLetters, output);
  }
}

export function sourceMetrics(rows: Rows, { name, state, counters }: SourceStatus): void {
  const source = rows.labels.and('source', name);
  rows.gauge('nagaya_source_open', '1 while events can arrive from the source.', state === 'open' ? 1 : 0, source);
  rows.gauge('nagaya_source_state', '1 for the state that the source is in.', 1, source.and('state', state));
  rows.counter('nagaya_source_received_total', 'Requests, messages, files and due times.', counters.received, source);
  const outcomes = {
    accepted: counters.accepted,
    duplicate: counters.duplicates,
    refused: counters.refused,
    ignored: counters.ignored,
  };
  for (const [outcome, count] of Object.entries(outcomes))
    rows.counter('nagaya_source_events_total', 'What became of them.', count, source.and('outcome', outcome));
  rows.counter('nagaya_source_reconnects_total', 'Connections that were made again.', counters.reconnects, source);
}
