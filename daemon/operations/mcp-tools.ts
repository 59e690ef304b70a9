// The tools as MCP clients reach them: the same calls as tool.call, for those that the configuration exposes.
import { HostError, asHostError } from '../../protocol/errors.ts';
import { EncodedJson } from '../../protocol/json-rpc.ts';
import { uuidv7 } from '../../protocol/uuid.ts';
import type { Host } from '../host/host.ts';
import type { KnownTool } from '../mcp/exposure.ts';
import type { McpCall, McpCallWaiter, McpTools } from '../mcp/mcp-gateway.ts';
import type { OfferedTool } from '../../protocol/mcp/messages.ts';
import { beginToolCall } from './tool.ts';

export interface McpToolsOptions {
  readonly host: Host;
  offered(): readonly OfferedTool[];
  shuttingDown(): boolean;
}

export const knownTools = (host: Host): KnownTool[] =>
  host
    .list()
    .filter(({ plugin }) => plugin.enabled)
    .flatMap(({ id, plugin, toolList }) =>
      toolList.map(({ name, title, description, inputSchema, outputSchema, annotations }) => ({
        plugin: id,
        tool: name,
        title,
        description,
        inputSchema,
        outputSchema,
        annotations,
        hosted: plugin.manifest.mcp !== undefined,
      })),
    );

export function mcpTools({ host, offered, shuttingDown }: McpToolsOptions): McpTools {
  return {
    offered,
    call: ({ plugin, tool, inputJson, signal }: McpCall, waiter: McpCallWaiter) => {
      const { progressed } = waiter;
      try {
        if (shuttingDown()) throw new HostError('shutting_down', 'The daemon is shutting down.');
        beginToolCall(
          host,
          { plugin, tool, input: new EncodedJson(inputJson), callId: uuidv7(), signal },
          {
            succeeded: ({ outputJson }) => waiter.succeeded(outputJson),
            failed: (error) => waiter.failed(error),
            ...(progressed === undefined ? {} : { progressed }),
          },
        );
      } catch (thrown) {
        waiter.failed(asHostError(thrown));
      }
    },
  };
}
