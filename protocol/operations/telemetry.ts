// Operations by which an operator sees what happened: the live feed, the timeline and the logs.
import * as z from 'zod';
import { openId, pluginId } from '../identifiers.ts';
import { operation } from '../operation.ts';
import { pageLimit } from '../parameters.ts';
import { diagnostic } from '../status.ts';

const count = z.int().min(0);

export const feedTopic = z.enum(['plugin', 'lifecycle', 'failure', 'counters', 'log']);
export type FeedTopic = z.output<typeof feedTopic>;

export const feedEvent = z.object({
  topic: feedTopic,
  at: z.iso.datetime(),
  plugin: z.string(),
  data: z.record(z.string(), z.unknown()),
});
export type FeedEvent = z.output<typeof feedEvent>;

/**
 * What a subscriber receives: over the socket as the parameters of an `event` notification, over HTTP as one
 * server-sent event.
 */
export const feedNotification = z.object({
  subscriptionId: z.string(),
  sequence: count,
  dropped: count.describe('events this subscriber was too slow for, since it subscribed'),
  event: feedEvent,
});
export type FeedNotification = z.output<typeof feedNotification>;

const timelineEntry = diagnostic.extend({ sequence: count, data: z.record(z.string(), z.unknown()).optional() });
export type TimelineEntry = z.output<typeof timelineEntry>;

const milliseconds = z.number().min(0);

/** How one attempt at an event ended. */
/** Optional, because earlier daemons kept none. */
const cameFrom = {
  source: z
    .string()
    .optional()
    .describe('who sent it: a source of the service, another plugin, or what a publisher says'),
  ingress: z.string().optional(),
  kind: z.string().optional(),
};

export const eventRecord = z.object({
  eventId: z.string(),
  correlationId: z.string(),
  ...cameFrom,
  outcome: z.enum(['handled', 'failed', 'deadLettered', 'discarded', 'timedOut', 'crashed', 'threw']),
  attempt: count,
  incarnation: count,
  acceptedAt: z.iso.datetime(),
  at: z.iso.datetime(),
  sinceAcceptedMs: milliseconds,
  handlerMs: milliseconds.nullable().describe('where it is known: nobody measures what nobody waits for'),
});
export type EventRecord = z.output<typeof eventRecord>;

export const openEvent = z.object({
  eventId: z.string(),
  correlationId: z.string(),
  ...cameFrom,
  acceptedAt: z.iso.datetime(),
  attempt: count,
  state: z.enum(['queued', 'inFlight', 'retrying']),
  retryAt: z.iso.datetime().nullable().describe('until when it waits for its next attempt'),
  ahead: count.describe('events that come before it'),
  runningMs: milliseconds.nullable(),
});
export type OpenEvent = z.output<typeof openEvent>;

export const sentCommand = z.object({
  id: z.string(),
  eventId: z.string().describe('of the event that sent it'),
  output: z.string(),
  state: z.enum(['pending', 'sent', 'dead']),
  attempts: count,
  at: z.iso.datetime().nullable().describe('when it was delivered or became a dead letter; null while it is pending'),
  nextAt: z.iso
    .datetime()
    .nullable()
    .describe('when a pending one is tried again; null: it is its turn, or behind another'),
  error: z.object({ code: z.string(), message: z.string() }).nullable().describe('of the newest attempt that failed'),
});
export type SentCommandView = z.output<typeof sentCommand>;

/** One thing that a person has to know of a plugin, in sentences. */
export const explanation = z.object({
  about: z.enum(['plugin', 'service', 'events', 'tools', 'workers', 'sources', 'outputs']),
  level: z.enum(['info', 'warn', 'error']),
  at: z.iso.datetime().nullable().describe('when it happened last; null of what is so now'),
  what: z.string().describe('what happened, or how it is'),
  why: z.string().nullable(),
  remedy: z.string().nullable().describe('what to do about it'),
});
export type Explanation = z.output<typeof explanation>;

export const logLine = z.looseObject({ level: z.string(), time: z.iso.datetime(), msg: z.string() });
export type LogLine = z.output<typeof logLine>;

export const logLevel = z.enum(['debug', 'info', 'warn', 'error']);
export type LogLevel = z.output<typeof logLevel>;

export const telemetryOperations = {
  'events.subscribe': operation({
    summary: 'Pushes lifecycle changes, failures and counters as they happen',
    http: { method: 'GET', path: '/api/events' },
    params: z.strictObject({
      topics: z.array(feedTopic).min(1).default(['plugin', 'lifecycle', 'failure', 'counters']),
      plugin: pluginId.optional().describe('only this plugin'),
    }),
    result: z.object({ subscriptionId: z.string(), topics: z.array(feedTopic), buffer: count }),
    errors: ['plugin_not_found', 'limit_too_large'],
    stream: true,
  }),
  'events.unsubscribe': operation({
    summary: 'Ends a subscription of this connection',
    http: { method: 'DELETE', path: '/api/events/{subscriptionId}' },
    params: z.strictObject({ subscriptionId: z.string().min(1).max(64) }),
    result: z.object({ unsubscribed: z.boolean(), dropped: count }),
  }),
  'timeline.read': operation({
    summary: 'What happened to a plugin, in order',
    audience: 'operator',
    http: { method: 'GET', path: '/api/plugins/{plugin}/timeline' },
    params: z.strictObject({ plugin: pluginId, after: count.default(0), limit: pageLimit(1000, 200) }),
    result: z.object({ entries: z.array(timelineEntry), firstSequence: count, nextSequence: count }),
    errors: ['plugin_not_found', 'limit_too_large'],
  }),
  'event.explain': operation({
    summary: "What became of a plugin's newest events, or of one of them, with what the timeline tells of it",
    audience: 'operator',
    http: { method: 'GET', path: '/api/plugins/{plugin}/story' },
    params: z.strictObject({
      plugin: pluginId,
      event: openId
        .optional()
        .describe('an event id, or a correlation id that several events may share; absent: the newest events'),
      limit: pageLimit(1000, 200),
    }),
    result: z.object({
      events: z.array(eventRecord).describe('attempts that ended, oldest first'),
      forgotten: count.describe('older attempts that are no longer known'),
      open: z.array(openEvent).describe('where the events in question are that have no outcome yet'),
      deadLetters: z.array(z.string()).describe('what the events in question became'),
      commands: z
        .array(sentCommand)
        .describe('what the events in question have sent to outputs, as far as it is remembered'),
      entries: z.array(timelineEntry),
      explanation: z
        .array(explanation)
        .describe('where no event is named: how the plugin is, what went wrong, why, and what to do about it'),
    }),
    errors: ['plugin_not_found', 'limit_too_large'],
  }),
  'log.read': operation({
    summary:
      "The newest lines of a plugin's log, its older files included, or of the daemon's own; over the socket also those that follow",
    audience: 'operator',
    http: { method: 'GET', path: '/api/logs' },
    params: z.strictObject({
      plugin: pluginId.optional().describe("absent: the daemon's own log"),
      limit: pageLimit(1000, 100, 0),
      since: z.iso.datetime({ offset: true }).optional().describe('none that is older'),
      level: logLevel.optional().describe('only lines of this level and above'),
      follow: z
        .boolean()
        .default(false)
        .describe('also subscribe to what comes next, whatever its level, without a gap'),
    }),
    result: z.object({
      lines: z.array(logLine),
      truncated: z.boolean(),
      droppedLines: count,
      subscriptionId: z.string().optional(),
    }),
    errors: ['plugin_not_found', 'unsupported_operation', 'limit_too_large'],
  }),
};
