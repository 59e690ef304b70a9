// Builds a service's status from what the host knows; nothing here waits for the plugin.
import type { Histogram } from '../../protocol/cell/histogram.ts';
import type { Isolation } from '../../protocol/manifest.ts';
import type { Lifecycle, ServiceStatus } from '../../protocol/status.ts';
import type { CellUsage } from '../cells/cell.ts';
import { cellMeters } from '../isolates/cell-meters.ts';
import type { Clock } from '../time/clock.ts';
import { idsOf } from '../dispatch/queued-event.ts';
import type { Books } from './books.ts';
import type { Intake } from './intake.ts';
import type { Journal } from './journal.ts';
import type { Lane } from '../dispatch/lane.ts';

export interface StatusParts {
  readonly pluginId: string;
  readonly isolation: Isolation;
  readonly lifecycle: Lifecycle;
  readonly incarnation: number;
  readonly startedMs: number | undefined;
  readonly clock: Clock;
  readonly books: Books;
  readonly intake: Intake;
  readonly lane: Lane | undefined;
  /** Handled events whose outcome waits for the store. */
  readonly settling: number;
  readonly handleTimes: Histogram;
  readonly journal: Journal;
  readonly usage: CellUsage | null;
  readonly cpuShare: ServiceStatus['cpuShare'];
  readonly unkillable: number;
  readonly malformed: number;
  readonly restart: ServiceStatus['restart'];
  readonly deadLetters: ServiceStatus['deadLetters'];
  readonly state: ServiceStatus['state'];
  readonly sources: ServiceStatus['sources'];
  readonly outputs: ServiceStatus['outputs'];
  readonly reported: ServiceStatus['reported'];
  readonly log: ServiceStatus['log'];
  readonly placement: ServiceStatus['placement'];
  readonly notes: readonly string[];
}

export interface ServiceFigures {
  readonly lifecycle: Lifecycle;
  readonly incarnation: number;
  readonly isUnkillable: boolean;
  readonly queue: ServiceStatus['queue'];
  readonly counters: ServiceStatus['counters'];
  readonly latency: Histogram;
  readonly waits: Histogram;
  readonly handleTimes: Histogram;
  readonly deadLetters: ServiceStatus['deadLetters'];
  readonly lastError: ServiceStatus['lastError'];
  readonly restart: ServiceStatus['restart'];
}

type QueueParts = Pick<StatusParts, 'intake' | 'lane' | 'clock' | 'startedMs' | 'settling'>;

export function queueFigures(parts: QueueParts, running = inFlight(parts)): ServiceStatus['queue'] {
  const { intake, lane } = parts;
  const { queue } = intake;
  const depth = queue.size + (lane?.inFlight ?? 0) + parts.settling - (running === null ? 0 : 1);
  return {
    depth,
    capacity: queue.capacity,
    highWater: Math.max(intake.highWater, depth),
    oldestAgeMs: oldestAgeMs(parts),
    bytes: queue.bytes,
    maxBytes: queue.maxBytes,
    durability: intake.durability,
    onDisk: intake.onDisk,
  };
}

export function serviceStatus(parts: StatusParts): ServiceStatus {
  const { clock, books, intake, journal, lane } = parts;
  const { queue } = intake;
  // Looked at before the counters: an event that begins in between is counted as dispatched and not yet shown.
  const running = inFlight(parts);
  return {
    pluginId: parts.pluginId,
    lifecycle: parts.lifecycle,
    incarnation: parts.incarnation,
    isolation: parts.isolation,
    startedAt: parts.startedMs === undefined ? null : new Date(parts.startedMs).toISOString(),
    uptimeMs: parts.startedMs === undefined ? 0 : Math.max(0, clock.wallMs() - parts.startedMs),
    queue: queueFigures(parts, running),
    inFlight: running,
    retrying: retrying(parts),
    counters: books.counters(lane?.begun()),
    latencyMs: books.latency.percentiles(),
    handleMs: parts.handleTimes.percentiles(),
    queueMs: queue.waits.percentiles(),
    usage: usageOf(parts.pluginId),
    cpuShare: parts.cpuShare,
    lastError: journal.lastError,
    restart: parts.restart,
    deadLetters: { ...parts.deadLetters },
    state: parts.state,
    sources: parts.sources,
    outputs: parts.outputs,
    cell: parts.usage,
    unkillable: parts.unkillable,
    malformedMessages: parts.malformed,
    reported: parts.reported,
    log: { ...parts.log },
    placement: parts.placement,
    notes: [...parts.notes],
    diagnostics: journal.diagnostics,
  };
}

function usageOf(pluginId: string): ServiceStatus['usage'] {
  const { cells: _cells, ...usage } = cellMeters.usage(pluginId, 'service');
  return usage;
}

function oldestAgeMs({ intake, lane, clock }: QueueParts): number {
  const acceptedMs = Math.min(
    lane?.current()?.event.acceptedMs ?? Infinity,
    intake.queue.oldest?.acceptedMs ?? Infinity,
  );
  return acceptedMs === Infinity ? 0 : Math.max(0, Math.round(clock.monotonicMs() - acceptedMs));
}

/** The queue knows when the first is due on the clock that does not go while the daemon sleeps. */
function retrying({ intake: { queue, retriesOnDisk }, clock }: StatusParts): ServiceStatus['retrying'] {
  const dueMs = queue.nextDueMs;
  return {
    count: queue.waiting + retriesOnDisk,
    nextAt:
      dueMs === undefined ? null : new Date(clock.wallMs() + Math.max(0, dueMs - clock.monotonicMs())).toISOString(),
  };
}

/** An event is in flight once it has begun; until then it waits, though its cell may have it. */
function inFlight({ lane, startedMs, clock }: QueueParts): ServiceStatus['inFlight'] {
  const current = startedMs !== undefined ? lane?.current() : undefined;
  if (current?.beganMs === undefined) return null;
  const { event, beganMs } = current;
  const sinceMs = Math.max(0, Math.round(clock.monotonicMs() - beganMs));
  return { ...idsOf(event), attempt: event.attempt, sinceMs };
}
