// The shape of a service's status: the host's own knowledge, always at hand, with the plugin's word as an extra.
import * as z from 'zod';
import { errorCodes } from './errors.ts';
import { outputStatus } from './operations/output.ts';
import { sourceInStatus } from './operations/source.ts';
import { durability, isolation, placement } from './manifest.ts';

const count = z.int().min(0);
const instant = z.iso.datetime();
const milliseconds = z.number().min(0);

/** What became of the events that had not begun when a service was stopped, restarted or reloaded. */
export const keptEvents = z.object({
  kept: z.int().min(0).describe('events that stay queued'),
  discarded: z.int().min(0).describe('events that were dropped, those of callers that waited included'),
});

/** What a service or a worker keeps in `ctx.state`. */
export const keptState = z.object({
  state: z.record(z.string(), z.unknown()),
  bytes: count.describe('of all keys, and of all values as JSON'),
});

export const lifecycle = z.enum(['ready', 'starting', 'running', 'stopping', 'stopped', 'failed']);
export type Lifecycle = z.output<typeof lifecycle>;

export const recordedError = z.object({
  code: z.enum(errorCodes),
  message: z.string(),
  at: instant,
  eventId: z.string().optional(),
  correlationId: z.string().optional(),
  stack: z.string().optional(),
});
export type RecordedError = z.output<typeof recordedError>;

export const percentiles = z.object({
  p50: milliseconds,
  p90: milliseconds,
  p99: milliseconds,
  max: milliseconds,
  count,
});

export const cpuShare = z.object({
  share: z.number().min(0).describe('limits.cpuShare: of one processor'),
  usedShare: z.number().min(0).describe('of one processor, the mean of the last seconds'),
  state: z
    .enum(['within', 'lowered', 'paused'])
    .describe(
      'lowered: its cells have a lower priority; paused: its service begins no event until the share has caught up',
    ),
  pausedMs: count.describe('in all'),
});
export type CpuShare = z.output<typeof cpuShare>;

export const diagnostic = z.object({
  at: instant,
  level: z.enum(['info', 'warn', 'error']),
  event: z.string(),
  message: z.string(),
  incarnation: count,
  eventId: z.string().optional(),
  correlationId: z.string().optional(),
});
export type Diagnostic = z.output<typeof diagnostic>;

const deliveries = ['at_least_once', 'exactly_once'] as const;

export const placementStatus = z.object({
  placement,
  member: z.string().nullable().describe('the member that has the live instance; null where nobody has it'),
  fence: count.nullable().describe('the fencing number under which it acts; null where nobody has it'),
  partitions: z
    .array(
      z.object({
        partition: z.int().min(0),
        member: z.string().nullable().describe('the member that holds it; null where nobody does'),
        fence: count.nullable().describe('the fencing number under which it acts; null where nobody does'),
      }),
    )
    .optional()
    .describe('of a shared service'),
  waits: z.string().nullable().describe('why no instance runs on this member; null where one does'),
  promises: z
    .object({
      events: z.enum(deliveries).describe('each accepted event is handled at least once'),
      state: z.enum(deliveries).describe('what an event changes in ctx.state takes effect exactly once'),
      commands: z
        .enum(deliveries)
        .describe('each command is sent at least once, each time under the same Idempotency-Key'),
    })
    .describe('what takes effect once, and what may take effect again after a member was lost'),
});
export type PlacementStatus = z.output<typeof placementStatus>;

export const serviceCounters = z.object({
  enqueued: count,
  dispatched: count,
  handled: count,
  failed: count,
  timedOut: count,
  crashed: count,
  threw: count.describe('attempts at published events whose handler threw'),
  retried: count,
  deadLettered: count,
  discarded: count,
  restarts: count,
  recovered: count.describe('accepted events that an earlier daemon had kept and this one went on with'),
  duplicates: count.describe('events that were sent again under an idempotency key that was known'),
  rejected: z.object({ queueFull: count, invalidEvent: count, notAccepting: count }),
});
export type ServiceCounters = z.output<typeof serviceCounters>;

export const serviceStatus = z.object({
  pluginId: z.string(),
  lifecycle,
  incarnation: count.describe('0 before the first start'),
  isolation,
  startedAt: instant.nullable(),
  uptimeMs: count,
  queue: z.object({
    depth: count.describe(
      'events that have not begun; in a running service one more than the capacity may wait, because its cell may have the first already',
    ),
    capacity: count,
    highWater: count,
    oldestAgeMs: count,
    bytes: count.describe('of the events that are in memory'),
    maxBytes: count,
    durability,
    onDisk: count.describe(
      'events without an outcome that are kept on disk, also those that are in memory or in flight',
    ),
  }),
  inFlight: z
    .object({ eventId: z.string(), correlationId: z.string(), attempt: count, sinceMs: count })
    .nullable()
    .describe('the event that has begun and not ended'),
  retrying: z
    .object({ count, nextAt: instant.nullable() })
    .describe('events that wait for their next attempt, among those of the queue, and when the first of them is due'),
  counters: serviceCounters,
  latencyMs: percentiles.describe('from accepted to settled'),
  handleMs: percentiles.describe('inside the handler'),
  queueMs: percentiles.describe('from the acceptance of an event until its cell was given it, for first attempts'),
  usage: z
    .object({
      cpuSeconds: z
        .number()
        .min(0)
        .describe('processor time of all its cells since the daemon loaded it; of processes, with what they started'),
      heapUsedMb: z.number().min(0),
      offHeapMb: z.number().min(0).describe('buffers and what else V8 knows to lie outside its heap'),
      rssMb: z.number().min(0).describe("of its processes; threads share the daemon's"),
      eventLoopUtilization: z.number().min(0).max(1).describe('in the last seconds'),
    })
    .describe('what the service uses of the machine'),
  cpuShare: cpuShare
    .nullable()
    .describe('how its plugin keeps to its share of the processor; null where limits.cpuShare sets none'),
  lastError: recordedError.nullable(),
  deadLetters: z.object({ count, capacity: count, evicted: count }),
  state: z.object({ bytes: count, maxBytes: count }).describe('what the service keeps in ctx.state'),
  sources: z.array(sourceInStatus),
  outputs: z.array(outputStatus),
  restart: z.object({ pending: z.boolean(), attempt: count, nextAt: instant.nullable() }).nullable(),
  cell: z
    .object({
      threadId: count.optional(),
      pid: count.optional(),
      heapUsedMb: z.number(),
      rssMb: z.number().optional(),
      utilization: z.number(),
      unkillable: z.boolean(),
    })
    .nullable(),
  unkillable: count.describe('cells that were given up and still exist'),
  malformedMessages: count.describe(
    'messages of its cells, since the daemon loaded it, that had a form no cell sends and were dropped',
  ),
  reported: z.object({ value: z.unknown(), at: instant, stale: z.boolean(), error: z.string().optional() }).nullable(),
  log: z.object({ lines: count, bytes: count, droppedLines: count, droppedBytes: count }),
  placement: placementStatus.nullable().describe('in a cluster; null where the service has no place in one'),
  notes: z
    .array(z.string())
    .describe('declared environment variables that are not set, and what this daemon does not act on'),
  diagnostics: z.array(diagnostic),
});
export type ServiceStatus = z.output<typeof serviceStatus>;
