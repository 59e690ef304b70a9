// Operations on dead letters: look, send again, or let go.
import * as z from 'zod';
import { deadLetter, deadLetterWithEvent } from '../dead-letter.ts';
import { errorCodes } from '../errors.ts';
import { pluginId } from '../identifiers.ts';
import { operation } from '../operation.ts';
import { pageLimit } from '../parameters.ts';

const count = z.int().min(0);
const letterId = z.string().min(1).max(64);
const errors = [
  'plugin_not_found',
  'unsupported_operation',
  'dead_letter_not_found',
  'cluster_unavailable',
  'member_unavailable',
] as const;
const listed = deadLetter.extend({
  replaying: z.string().nullable().describe('the event that it is replayed as, while that has no outcome'),
});
const replayed = z.union([
  z.object({ id: z.string(), accepted: z.literal(true), eventId: z.string(), correlationId: z.string() }),
  z.object({
    id: z.string(),
    accepted: z.literal(false),
    error: z.object({
      code: z.enum(errorCodes),
      message: z.string(),
      retryable: z.boolean(),
      details: z.record(z.string(), z.unknown()),
    }),
  }),
]);

export const deadLetterOperations = {
  'deadLetter.list': operation({
    summary: 'The dead letters of a service, oldest first, without their payloads',
    audience: 'operator',
    http: { method: 'GET', path: '/api/services/{plugin}/dead-letters' },
    params: z.strictObject({
      plugin: pluginId,
      after: letterId.optional().describe('the id of the last one already seen; it must still be there'),
      limit: pageLimit(1000, 100),
    }),
    result: z.object({
      deadLetters: z.array(listed),
      total: count,
      evicted: count.describe('pushed out by newer ones since the daemon started'),
    }),
    errors: [...errors, 'limit_too_large'],
  }),
  'deadLetter.show': operation({
    summary: 'One dead letter with its event and the story of its attempts',
    audience: 'operator',
    http: { method: 'GET', path: '/api/services/{plugin}/dead-letters/{id}' },
    params: z.strictObject({ plugin: pluginId, id: letterId }),
    result: z.object({ deadLetter: deadLetterWithEvent }),
    errors,
  }),
  'deadLetter.replay': operation({
    summary:
      'Publishes dead letters again, each with its old correlation id; one that is handled is no longer a dead letter, one that is lost again is replaced by a new one',
    audience: 'operator',
    http: { method: 'POST', path: '/api/services/{plugin}/dead-letters/replay' },
    params: z.strictObject({
      plugin: pluginId,
      ids: z
        .array(letterId)
        .min(1)
        .max(1000)
        .optional()
        .describe('absent: all of them, oldest first; if one is not there, none is published'),
      payload: z
        .unknown()
        .optional()
        .describe('in place of the payload of the letter; only where exactly one is named'),
    }),
    result: z.object({ results: z.array(replayed) }),
    errors: [...errors, 'invalid_request'],
  }),
  'deadLetter.discard': operation({
    summary: 'Removes dead letters for good',
    audience: 'operator',
    http: { method: 'POST', path: '/api/services/{plugin}/dead-letters/discard' },
    params: z.strictObject({
      plugin: pluginId,
      ids: z
        .array(letterId)
        .min(1)
        .max(1000)
        .optional()
        .describe('absent: all of them; if one is not there, none is removed'),
    }),
    result: z.object({ discarded: count }),
    errors,
  }),
};
