// Operations on services and on what arrives through their ingresses.
import * as z from 'zod';
import { longestMs } from '../durations.ts';
import { errorCodes } from '../errors.ts';
import { ingressEventInput } from '../event.ts';
import { pluginId } from '../identifiers.ts';
import { operation } from '../operation.ts';
import { keptEvents, keptState, serviceStatus } from '../status.ts';

const count = z.int().min(0);
const plugin = z.strictObject({ plugin: pluginId });

/** Documented in full, checked event by event, so that one bad event of a batch does not refuse the others. */
const anyEvent = z.unknown().meta({ ...z.toJSONSchema(ingressEventInput, { io: 'input' }), $schema: undefined });

const accepted = z.object({
  accepted: z.literal(true),
  duplicate: z.literal(true).optional().describe('it was accepted before, under the same idempotency key'),
  eventId: z.string().describe("the host's own id for the event; of a duplicate, that of the first one"),
  correlationId: z.string(),
  queueDepth: count,
});
const wireError = z.object({
  code: z.enum(errorCodes),
  message: z.string(),
  retryable: z.boolean(),
  details: z.record(z.string(), z.unknown()),
});
const refused = z.object({ accepted: z.literal(false), error: wireError });

const admissionErrors = [
  'plugin_not_found',
  'unsupported_operation',
  'invalid_event',
  'queue_full',
  'service_unavailable',
  'service_failed',
  'service_stopped',
  'cluster_unavailable',
  'member_unavailable',
] as const;
const startErrors = [
  'plugin_not_found',
  'plugin_disabled',
  'unsupported_operation',
  'start_timeout',
  'start_failed',
  'cell_crashed',
  'service_unavailable',
  'service_stopped',
  'storage_failed',
  'cluster_unavailable',
] as const;

export const serviceOperations = {
  'service.list': operation({
    summary: 'The status of every service',
    audience: 'operator',
    http: { method: 'GET', path: '/api/services' },
    params: z.strictObject({}),
    result: z.object({ services: z.array(serviceStatus) }),
    duringShutdown: true,
  }),
  'service.status': operation({
    summary: "A service's status: the host's view at once, the plugin's own word from the last time it gave one",
    audience: 'operator',
    http: { method: 'GET', path: '/api/services/{plugin}' },
    params: plugin.extend({
      wait: z.boolean().default(false).describe("first ask the plugin's own status(), for at most statusMs"),
    }),
    result: serviceStatus,
    errors: ['plugin_not_found', 'unsupported_operation'],
    duringShutdown: true,
  }),
  'service.state': operation({
    summary: 'What a service keeps in ctx.state, as of the last event that was handled',
    http: { method: 'GET', path: '/api/services/{plugin}/state' },
    params: plugin,
    result: keptState,
    errors: ['plugin_not_found', 'unsupported_operation', 'storage_failed'],
  }),
  'service.start': operation({
    summary: 'Starts a service and answers once it runs, or with what its start ended in',
    audience: 'operator',
    http: { method: 'POST', path: '/api/services/{plugin}/start' },
    params: plugin,
    result: serviceStatus,
    errors: startErrors,
  }),
  'service.stop': operation({
    summary:
      "Drains a service's queue for at most stopMs and stops it; what is not handled by then stays queued for the next start",
    audience: 'operator',
    http: { method: 'POST', path: '/api/services/{plugin}/stop' },
    params: plugin.extend({
      now: z
        .boolean()
        .default(false)
        .describe(
          'drain nothing; an event that ignores its abort signal is cut off and comes again after the next start',
        ),
      discard: z.boolean().default(false).describe('drop the queue instead of keeping it'),
    }),
    result: serviceStatus.extend({
      ...keptEvents.shape,
      error: wireError.nullable().describe('what went wrong while the service stopped; it is stopped all the same'),
    }),
    errors: ['plugin_not_found', 'unsupported_operation'],
  }),
  'service.restart': operation({
    summary:
      'Starts a service again in a new cell once the event that is executing has ended; the queue and the callers that wait go on there',
    audience: 'operator',
    http: { method: 'POST', path: '/api/services/{plugin}/restart' },
    params: plugin,
    result: serviceStatus.extend(keptEvents.shape),
    errors: startErrors,
  }),
  'ingress.publish': operation({
    summary:
      'Queues one event, or a batch; answers when queued, for a durable service when stored, each event by itself',
    audience: 'operator',
    http: { method: 'POST', path: '/api/services/{plugin}/events' },
    params: plugin.extend({
      event: anyEvent.optional(),
      events: z.array(anyEvent).min(1).optional(),
      wait: z
        .boolean()
        .default(false)
        .describe('where the queue is full, hold this connection until there is room instead of refusing'),
      timeoutMs: z
        .int()
        .min(1)
        .max(longestMs)
        .optional()
        .describe('with wait: how long at most; limits.deliverMs where it is absent'),
    }),
    result: z.union([accepted, z.object({ results: z.array(z.union([accepted, refused])) })]),
    errors: [...admissionErrors, 'limit_too_large', 'storage_full', 'storage_failed'],
  }),
  'ingress.deliver': operation({
    summary: "Queues one event and answers when it was handled, with the handler's output",
    http: { method: 'POST', path: '/api/services/{plugin}/deliver' },
    params: plugin.extend({ event: anyEvent, timeoutMs: z.int().min(1).max(longestMs).optional() }),
    result: z.object({
      eventId: z.string(),
      correlationId: z.string(),
      attempt: count,
      output: z.unknown(),
      queuedMs: z.number().min(0),
      durationMs: z.number().min(0),
    }),
    errors: [
      ...admissionErrors,
      'payload_invalid',
      'dispatch_timeout',
      'dispatch_failed',
      'cell_crashed',
      'storage_full',
      'storage_failed',
    ],
  }),
};
