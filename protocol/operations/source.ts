// Operations on sources: where the events of services come from, and what the operator may do about one.
import * as z from 'zod';
import { localName, pluginId } from '../identifiers.ts';
import { operation } from '../operation.ts';
import { sourceTypes } from '../sources.ts';

const count = z.int().min(0);
const instant = z.iso.datetime();

export const sourceStatus = z.object({
  plugin: z.string(),
  name: z.string(),
  type: z.enum(sourceTypes),
  state: z
    .enum(['open', 'connecting', 'retrying', 'paused', 'faulty'])
    .describe(
      'open: events can arrive, and a peer was heard within its heartbeat; retrying: it failed and is tried again; faulty: somebody has to do something, see lastError',
    ),
  since: instant.describe('of the state'),
  deafSince: instant
    .nullable()
    .describe('since when no event can come from it, although nobody has paused it; null where events can'),
  url: z.string().optional().describe('where a webhook is reached'),
  lastEventAt: instant.nullable(),
  lastError: z.object({ code: z.string(), message: z.string(), at: instant }).nullable(),
  nextAt: instant.nullable().optional().describe('when a schedule is due next'),
  counters: z
    .object({
      received: count.describe('requests, messages, files and due times'),
      accepted: count.describe('that became an event'),
      duplicates: count.describe('that were accepted before'),
      refused: count,
      ignored: count.describe('of a kind that the ingress does not declare'),
      reconnects: count,
    })
    .describe('since the daemon started'),
});
export type SourceStatus = z.output<typeof sourceStatus>;

/** As it stands in the status of its service: what may hold a path is told by source.list alone. */
export const sourceInStatus = sourceStatus
  .omit({ plugin: true })
  .extend({
    lastError: z.object({ code: z.string(), at: instant }).nullable().describe('source.list has the message'),
  });
export type SourceInStatus = z.output<typeof sourceInStatus>;

const one = z.strictObject({ plugin: pluginId, source: localName });
const errors = ['plugin_not_found', 'unsupported_operation', 'source_not_found'] as const;

export const sourceOperations = {
  'source.list': operation({
    summary: 'The sources of every service, or of one: their state, counters, last error and next run',
    audience: 'operator',
    http: { method: 'GET', path: '/api/sources' },
    params: z.strictObject({ plugin: pluginId.optional() }),
    result: z.object({ sources: z.array(sourceStatus) }),
    errors: ['plugin_not_found'],
  }),
  'source.pause': operation({
    summary: 'Takes nothing from a source until it is resumed, also after a restart of the daemon',
    audience: 'operator',
    http: { method: 'POST', path: '/api/services/{plugin}/sources/{source}/pause' },
    params: one,
    result: sourceStatus,
    errors,
  }),
  'source.resume': operation({
    summary: 'Takes events from a paused source again',
    audience: 'operator',
    http: { method: 'POST', path: '/api/services/{plugin}/sources/{source}/resume' },
    params: one,
    result: sourceStatus,
    errors,
  }),
  'source.trigger': operation({
    summary: 'Lets a schedule be due now, without a change to when it is due next',
    audience: 'operator',
    http: { method: 'POST', path: '/api/services/{plugin}/sources/{source}/trigger' },
    params: one,
    result: z.object({ accepted: z.literal(true), eventId: z.string(), correlationId: z.string() }),
    errors: [...errors, 'queue_full', 'service_unavailable', 'service_failed', 'service_stopped', 'invalid_event'],
  }),
};
