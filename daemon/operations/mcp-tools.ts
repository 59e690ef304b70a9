// The tools as MCP clients reach them: the same calls as tool.call, for those that the configuration exposes.
import { HostError, asHostError } from '../../protocol/errors.ts';
import { EncodedJson } from '../../protocol/json-rpc.ts';
import { uuidv7 } from '../../protocol/uuid.ts';
import type { Host } from '../host/host.ts';
import type { KnownTool } from '../mcp/exposure.ts';
import type { McpCall, McpCallWaiter, McpTools } from '../mcp/mcp-gateway.ts';
import { type OfferedTool, workerToolsOwner } from '../../protocol/mcp/messages.ts';
import { callWorkerTool, workerTools } from './mcp-worker-tools.ts';
import { beginToolCall } from './tool.ts';

export interface McpToolsOptions {
  readonly host: Host;
  /** Workers are offered as tools. */
  readonly workers: boolean;
  offered(): readonly OfferedTool[];
  shuttingDown(): boolean;
}

/** `workers`: whether workers are offered, too. */
export const knownTools = (host: Host, workers: boolean): KnownTool[] => [
  ...(workers ? workerTools : []),
  ...host
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
    ),
];

export function mcpTools({ host, workers, offered, shuttingDown }: McpToolsOptions): McpTools {
  return {
    offered,
    call: ({ plugin, tool, inputJson, controller }: McpCall, waiter: McpCallWaiter) => {
      const { progressed } = waiter;
      const { signal } = controller;
      try {
        if (shuttingDown()) throw new HostError('shutting_down', 'The daemon is shutting down.');
        if (workers && plugin === workerToolsOwner && workerTools.some((offered) => offered.tool === tool)) {
          void answerForWorkers(host, { tool, inputJson, signal }, waiter);
          return;
        }
        beginToolCall(
          host,
          { plugin, tool, input: new EncodedJson(inputJson), callId: uuidv7(), signal },
          {
            succeeded: ({ outputJson }) => waiter.succeeded(outputJson),
            failed: (error) => waiter.failed(error),
            ...(progressed === undefined ? {} : { progressed }),
          },
          controller,
        );
      } catch (thrown) {
        waiter.failed(asHostError(thrown));
      }
    },
  };
}

async function answerForWorkers(
  host: Host,
  { tool, inputJson, signal }: Omit<McpCall, 'plugin' | 'controller'> & { readonly signal: AbortSignal },
  waiter: McpCallWaiter,
): Promise<void> {
  try {
    const maximum = host.config.limits.toolInputBytes;
    if (Buffer.byteLength(inputJson) > maximum)
      throw new HostError(
        'payload_too_large',
        `The input of "${tool}" is larger than ${String(maximum)} bytes; limits.toolInputBytes sets this bound.`,
        { tool, what: 'input', limit: 'limits.toolInputBytes', maximum },
      );
    // The MCP thread has written it, within the bound on nesting.
    const answer = await callWorkerTool(host.registry, tool, JSON.parse(inputJson), signal);
    waiter.succeeded(JSON.stringify(answer));
  } catch (thrown) {
    waiter.failed(asHostError(thrown));
  }
}
