// Operations on MCP: what its clients are offered, and how they get in.
import * as z from 'zod';
import { operation } from '../operation.ts';

export const mcpTool = z.object({
  name: z.string().describe('by which MCP clients know it'),
  plugin: z.string(),
  tool: z.string(),
  title: z.string().optional(),
  description: z.string(),
  state: z
    .enum(['exposed', 'denied', 'held'])
    .describe('denied: by mcp.expose; held: it changed since it was approved, and mcp.pin is on'),
  changed: z
    .array(z.enum(['title', 'description', 'inputSchema', 'outputSchema', 'annotations']))
    .describe('of a tool that is held: what is not as it was approved'),
});
export type McpTool = z.output<typeof mcpTool>;

export const mcpOperations = {
  'mcp.tools': operation({
    summary: 'Every tool with the name that MCP clients know it by, and whether they are offered it',
    http: { method: 'GET', path: '/api/mcp/tools' },
    params: z.strictObject({}),
    result: z.object({ pin: z.boolean(), tools: z.array(mcpTool) }),
  }),
  'mcp.approve': operation({
    summary: 'Approves tools as they are now, so that they are no longer held back',
    http: { method: 'POST', path: '/api/mcp/approvals' },
    params: z.strictObject({
      names: z
        .array(z.string().min(1).max(200))
        .max(10_000)
        .optional()
        .describe('names for MCP clients; all that are held where it is left out'),
    }),
    result: z.object({ approved: z.array(z.string()) }),
    errors: ['tool_not_found', 'unsupported_operation'],
  }),
  'mcp.access': operation({
    summary: 'Where MCP clients reach the daemon over HTTP, and the token that lets them in there',
    http: { method: 'POST', path: '/api/mcp/access' },
    params: z.strictObject({}),
    result: z.object({ url: z.string(), token: z.string() }),
    errors: ['unsupported_operation'],
  }),
};
