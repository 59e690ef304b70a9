// Builds a service's status from what the host knows; nothing here waits for the plugin.
import type { Histogram } from '../../protocol/cell/histogram.ts';
import type { Isolation } from '../../protocol/manifest.ts';
import type { Lifecycle, ServiceStatus } from '../../protocol/status.ts';
import type { CellUsage } from '../cells/cell.ts';
import type { Clock } from '../time/clock.ts';
import { idsOf } from '../dispatch/queued-event.ts';
import { dispatches } from './lifecycle.ts';
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
  readonly intake: Intake;
  readonly depth: number;
  readonly lane: Lane | undefined;
  readonly handleTimes: Histogram;
  readonly journal: Journal;
  readonly usage: CellUsage | null;
  readonly unkillable: number;
  readonly restart: ServiceStatus['restart'];
  readonly deadLetters: ServiceStatus['deadLetters'];
  readonly reported: ServiceStatus['reported'];
  readonly log: ServiceStatus['log'];
  readonly notes: readonly string[];
}

export function serviceStatus(parts: StatusParts): ServiceStatus {
  const { clock, intake, journal, lane } = parts;
  const { queue } = intake;
  return {
    pluginId: parts.pluginId,
    lifecycle: parts.lifecycle,
    incarnation: parts.incarnation,
    isolation: parts.isolation,
    startedAt: parts.startedMs === undefined ? null : new Date(parts.startedMs).toISOString(),
    uptimeMs: parts.startedMs === undefined ? 0 : Math.max(0, clock.wallMs() - parts.startedMs),
    queue: {
      depth: parts.depth,
      capacity: queue.capacity,
      highWater: intake.highWater,
      oldestAgeMs: oldestAgeMs(parts),
      bytes: queue.bytes,
      maxBytes: queue.maxBytes,
    },
    inFlight: inFlight(parts),
    counters: intake.ledger.counters(lane?.begun()),
    latencyMs: intake.latency.percentiles(),
    handleMs: parts.handleTimes.percentiles(),
    lastError: journal.lastError,
    restart: parts.restart,
    deadLetters: { ...parts.deadLetters },
    cell: parts.usage,
    unkillable: parts.unkillable,
    reported: parts.reported,
    log: { ...parts.log },
    notes: [...parts.notes],
    diagnostics: journal.diagnostics,
  };
}

function oldestAgeMs({ intake, lane, clock }: StatusParts): number {
  const oldest = lane?.current()?.event ?? intake.queue.oldest;
  return oldest === undefined ? 0 : Math.max(0, Math.round(clock.monotonicMs() - oldest.acceptedMs));
}

/** In a running service the first open event is in flight, also in the moment before its cell has it; what a failed
 * one's cell had not begun waits again. */
function inFlight({ lane, intake, lifecycle, clock }: StatusParts): ServiceStatus['inFlight'] {
  if (!dispatches(lifecycle)) return null;
  const current = lane?.current();
  const event = current?.event ?? intake.queue.oldest;
  if (event === undefined) return null;
  const sinceMs = current?.beganMs === undefined ? 0 : Math.max(0, Math.round(clock.monotonicMs() - current.beganMs));
  return { ...idsOf(event), attempt: event.attempt, sinceMs };
}
