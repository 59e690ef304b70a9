// What the operations on MCP do.
import { HostError } from '../../protocol/errors.ts';
import type { OperationResult } from '../../protocol/operations.ts';
import type { mcpOperations } from '../../protocol/operations/mcp.ts';
import type { Handlers } from './caller.ts';
import type { Exposure } from '../mcp/exposure.ts';

export interface McpHandlerDeps {
  readonly exposure: Exposure;
  /** What MCP clients are offered may be another list now. */
  toolsChanged(): void;
  /** Undefined where no port is open. */
  access(): OperationResult<'mcp.access'> | undefined;
}

export function mcpHandlers({
  exposure,
  toolsChanged,
  access,
}: McpHandlerDeps): Pick<Handlers, keyof typeof mcpOperations> {
  return {
    'mcp.tools': () => ({
      pin: exposure.pinned,
      tools: exposure
        .list()
        .map(({ name, plugin, tool, title, description, state, changed }) => ({
          name,
          plugin,
          tool,
          ...(title === undefined ? {} : { title }),
          description,
          state,
          changed,
        })),
    }),
    'mcp.approve': async ({ names }) => {
      const approved = await exposure.approve(names);
      toolsChanged();
      return { approved };
    },
    'mcp.access': () => {
      const open = access();
      if (open !== undefined) return open;
      throw new HostError(
        'unsupported_operation',
        'This daemon opens no port: set http.port in its configuration and start it again, or let clients run `nagaya mcp`.',
        { instead: '`nagaya mcp`' },
      );
    },
  };
}
