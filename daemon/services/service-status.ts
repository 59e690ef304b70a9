// Builds a service's status from what the host knows; nothing here waits for the plugin.
import type { Histogram } from '../../protocol/cell/histogram.ts';
import type { Lifecycle, ServiceCounters, ServiceStatus } from '../../protocol/status.ts';
import type { CellUsage } from '../cells/cell.ts';
import type { Clock } from '../clock.ts';
import type { LoadedPlugin } from '../plugins/plugin.ts';
import { dispatches } from './lifecycle.ts';
import type { IngressQueue } from './ingress-queue.ts';
import type { Journal } from './journal.ts';
import type { Lane } from './lane.ts';

export interface StatusParts {
  readonly plugin: LoadedPlugin;
  readonly lifecycle: Lifecycle;
  readonly incarnation: number;
  readonly startedMs: number | undefined;
  readonly clock: Clock;
  readonly queue: IngressQueue;
  readonly depth: number;
  readonly highWater: number;
  readonly lane: Lane | undefined;
  readonly counters: ServiceCounters;
  readonly latency: Histogram;
  readonly handleTimes: Histogram;
  readonly journal: Journal;
  readonly usage: CellUsage | null;
  readonly reported: ServiceStatus['reported'];
  readonly log: ServiceStatus['log'];
}

export function serviceStatus(parts: StatusParts): ServiceStatus {
  const { plugin, clock, queue, journal } = parts;
  return {
    pluginId: plugin.id,
    lifecycle: parts.lifecycle,
    incarnation: parts.incarnation,
    isolation: plugin.manifest.isolation,
    startedAt: parts.startedMs === undefined ? null : new Date(parts.startedMs).toISOString(),
    uptimeMs: parts.startedMs === undefined ? 0 : Math.max(0, clock.wallMs() - parts.startedMs),
    queue: {
      depth: parts.depth,
      capacity: queue.capacity,
      highWater: parts.highWater,
      oldestAgeMs: oldestAgeMs(parts),
      bytes: queue.bytes,
      maxBytes: queue.maxBytes,
    },
    inFlight: inFlight(parts),
    counters: parts.counters,
    latencyMs: parts.latency.percentiles(),
    handleMs: parts.handleTimes.percentiles(),
    lastError: journal.lastError,
    restart: null,
    cell: parts.usage,
    reported: parts.reported,
    log: { ...parts.log },
    diagnostics: journal.diagnostics,
  };
}

function oldestAgeMs({ queue, lane, clock }: StatusParts): number {
  const oldest = lane?.current()?.event ?? queue.oldest;
  return oldest === undefined ? 0 : Math.max(0, Math.round(clock.monotonicMs() - oldest.acceptedMs));
}

/** In a running service the first open event is in flight, also in the moment before its cell has it; what a failed
 * one's cell had not begun waits again. */
function inFlight({ lane, queue, lifecycle, clock }: StatusParts): ServiceStatus['inFlight'] {
  if (!dispatches(lifecycle)) return null;
  const current = lane?.current();
  const event = current?.event ?? queue.oldest;
  if (event === undefined) return null;
  const sinceMs = current?.beganMs === undefined ? 0 : Math.max(0, Math.round(clock.monotonicMs() - current.beganMs));
  return { correlationId: event.correlationId, attempt: event.attempt, sinceMs };
}
