// For servers whose tests do not speak MCP: a gateway that offers nothing and whose thread is never started.
import { McpGateway } from '../../daemon/mcp/mcp-gateway.ts';
import type { SpawnMcpThread } from '../../daemon/mcp/mcp-thread.ts';

export const noMcp = (): McpGateway =>
  mcpWith(() => {
    throw new Error('no test of this kind speaks MCP');
  });

/** One whose thread is the test's. */
export const mcpWith = (spawn: SpawnMcpThread): McpGateway =>
  new McpGateway({
    thread: {
      version: '0.0.0',
      lineBytes: 1024,
      nesting: 16,
      pendingCalls: 1,
      pageSize: 1,
      sessions: 1,
      sessionIdleMs: 1000,
      lingerMs: 0,
    },
    tools: { offered: () => [], call: () => undefined },
    log: { warn: () => undefined },
    spawn,
  });
