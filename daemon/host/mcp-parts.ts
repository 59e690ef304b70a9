// What the daemon has for MCP, put together: which tools are offered, the gateway that serves clients, and what the
// operations on MCP act on. Nothing of it costs anything before the first client.
import type { OperationResult } from '../../protocol/operations.ts';
import { Approvals } from '../mcp/approvals.ts';
import { Exposure } from '../mcp/exposure.ts';
import { McpGateway } from '../mcp/mcp-gateway.ts';
import type { McpHandlerDeps } from '../operations/mcp.ts';
import { knownTools, mcpTools } from '../operations/mcp-tools.ts';
import type { Logger } from '../telemetry/daemon-log.ts';
import type { DaemonOptions } from './daemon-options.ts';
import type { Host } from './host.ts';

export class McpParts {
  readonly gateway: McpGateway;
  readonly #exposure: Exposure;

  constructor(
    host: Host,
    { config: { limits, mcp }, stateFolder }: Pick<DaemonOptions, 'config' | 'stateFolder'>,
    log: Logger,
    version: string,
    shuttingDown: () => boolean,
  ) {
    const approvals = mcp.pin ? new Approvals({ stateFolder, trouble: (message) => log.warn({}, message) }) : undefined;
    this.#exposure = new Exposure(mcp, () => knownTools(host, mcp.workers), approvals);
    this.gateway = new McpGateway({
      thread: {
        version,
        lineBytes: limits.lineBytes,
        nesting: limits.nesting,
        pendingCalls: limits.pendingCalls,
        pageSize: mcp.pageSize,
        sessions: mcp.sessions,
        sessionIdleMs: mcp.sessionIdleMs,
        lingerMs: mcp.lingerMs,
      },
      tools: mcpTools({ host, workers: mcp.workers, shuttingDown, offered: () => this.#exposure.offered() }),
      log,
    });
  }

  /** Whether resources and prompts of a hosted server are for MCP clients. */
  passesOn(plugin: string): boolean {
    return this.#exposure.admits(`${plugin}/resources`);
  }

  operations(access: () => OperationResult<'mcp.access'> | undefined): McpHandlerDeps {
    return { exposure: this.#exposure, toolsChanged: this.gateway.toolsChanged, access };
  }
}
