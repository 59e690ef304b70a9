// Operations on tools: request and response, never through a service's queue.
import * as z from 'zod';
import { longestMs } from '../durations.ts';
import { localName, openId, pluginId } from '../identifiers.ts';
import { jsonSchema } from '../json-schema.ts';
import { toolAnnotations, toolIsolation } from '../manifest.ts';
import { operation } from '../operation.ts';

/** The parameters of a `progress` notification. */
export interface ProgressNotification {
  readonly callId: string;
  readonly done: number;
  readonly total?: number;
  readonly message?: string;
}

export const toolOperations = {
  'tool.list': operation({
    summary: 'The tools of every plugin, or of one',
    audience: 'operator',
    http: { method: 'GET', path: '/api/tools' },
    params: z.strictObject({ plugin: pluginId.optional() }),
    result: z.object({
      tools: z.array(
        z.object({
          plugin: z.string(),
          name: z.string(),
          title: z.string().optional(),
          description: z.string(),
          inputSchema: jsonSchema,
          outputSchema: jsonSchema,
          annotations: toolAnnotations.optional(),
          isolation: toolIsolation,
          timeoutMs: z.int(),
        }),
      ),
    }),
    errors: ['plugin_not_found'],
  }),
  'tool.call': operation({
    summary: 'Calls a tool and answers with its output',
    audience: 'operator',
    http: { method: 'POST', path: '/api/tools/{plugin}/{tool}' },
    params: z.strictObject({
      plugin: pluginId,
      tool: localName,
      input: z.unknown().optional(),
      timeoutMs: z.int().min(1).max(longestMs).optional(),
      callId: openId.optional().describe("a name of the caller's choice by which tool.cancel finds the call"),
      progress: z
        .boolean()
        .optional()
        .describe(
          'on the socket: what the tool tells with ctx.progress comes as `progress` notifications; needs a callId',
        ),
    }),
    result: z.object({ output: z.unknown(), durationMs: z.number().min(0) }),
    errors: [
      'plugin_not_found',
      'plugin_disabled',
      'tool_not_found',
      'tool_input_invalid',
      'tool_output_invalid',
      'tool_timeout',
      'tool_failed',
      'tool_crashed',
      'tool_cancelled',
      'tool_overloaded',
      'member_unavailable',
    ],
  }),
  'tool.cancel': operation({
    summary: 'Ends a call that is waiting or running; its caller gets tool_cancelled',
    audience: 'operator',
    http: { method: 'DELETE', path: '/api/tool-calls/{callId}' },
    params: z.strictObject({ callId: openId }),
    result: z.object({ cancelled: z.boolean().describe('false where no such call is pending') }),
  }),
};
