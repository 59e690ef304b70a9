// Operations on the outputs of services: what waits to be delivered, and what could not be.
import * as z from 'zod';
import { errorCodes } from '../errors.ts';
import { localName, pluginId } from '../identifiers.ts';
import { operation } from '../operation.ts';
import { pageLimit } from '../parameters.ts';

const count = z.int().min(0);
const instant = z.iso.datetime();
const commandId = z.string().min(1).max(128);
const fault = z.object({ code: z.enum(errorCodes), message: z.string() });

export const outputStatus = z.object({
  plugin: z.string(),
  name: z.string(),
  type: z.string().describe('as declared; "unknown" for commands to an output that is declared no more'),
  state: z
    .enum(['open', 'retrying', 'faulty'])
    .describe('retrying: all that is pending waits for its next attempt; faulty: it can deliver nothing as it is'),
  pending: count,
  sent: count.describe('commands that were delivered since the daemon started'),
  failed: count.describe('attempts that failed since then'),
  deadLetters: count,
  lastError: fault.extend({ at: instant }).nullable(),
});
export type OutputStatus = z.output<typeof outputStatus>;

const command = z.object({
  id: z.string().describe('<eventId>/<n>: the same at each attempt'),
  key: z.string().nullable(),
  path: z.string().optional(),
  topic: z.string().optional(),
  eventId: z.string(),
  correlationId: z.string(),
  createdAt: instant,
  attempts: count,
  body: z.unknown(),
});

const params = z.strictObject({ plugin: pluginId, output: localName });
const ids = z.array(commandId).min(1).max(1000).optional();
const errors = ['plugin_not_found', 'unsupported_operation', 'output_not_found', 'cluster_unavailable'] as const;

export const outputOperations = {
  'output.list': operation({
    summary: 'The outputs of services, and how much waits to be delivered by each',
    audience: 'operator',
    http: { method: 'GET', path: '/api/outputs' },
    params: z.strictObject({ plugin: pluginId.optional() }),
    result: z.object({ outputs: z.array(outputStatus) }),
    errors: ['plugin_not_found'],
  }),
  'output.show': operation({
    summary: 'One output with its oldest commands that wait, and its oldest that could not be delivered',
    audience: 'operator',
    http: { method: 'GET', path: '/api/outputs/{plugin}/{output}' },
    params: params.extend({ limit: pageLimit(1000, 100).describe('of each list') }),
    result: z.object({
      output: outputStatus,
      pending: z.array(command.extend({ nextAt: instant.nullable(), error: fault.nullable() })),
      deadLetters: z.array(command.extend({ reason: z.enum(['refused', 'expired']), deadAt: instant, error: fault })),
    }),
    errors: [...errors, 'limit_too_large'],
  }),
  'output.retry': operation({
    summary: 'Sends dead letters of an output again, and tries at once what waits for its next attempt',
    audience: 'operator',
    http: { method: 'POST', path: '/api/outputs/{plugin}/{output}/retry' },
    params: params.extend({ ids: ids.describe('absent: all; if one is not there, nothing is done') }),
    result: z.object({ retried: count }),
    errors: [...errors, 'command_not_found'],
  }),
  'output.discard': operation({
    summary: 'Removes commands of an output for good',
    audience: 'operator',
    http: { method: 'POST', path: '/api/outputs/{plugin}/{output}/discard' },
    params: params.extend({
      ids: ids.describe(
        'of dead letters, or of commands that wait; absent: all dead letters; if one is not there, nothing is done',
      ),
    }),
    result: z.object({ discarded: count }),
    errors: [...errors, 'command_not_found'],
  }),
};
