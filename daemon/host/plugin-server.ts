// The MCP server that a plugin is: its tools for those who call them, and its cells for the service that supervises it.
import { HostError } from '../../protocol/errors.ts';
import type { McpSection, ToolSection } from '../../protocol/manifest.ts';
import { ServerTools } from '../mcp/hosted/server-tools.ts';
import { ServerCell } from '../mcp/hosted/server-cell.ts';
import { serverCommand } from '../mcp/hosted/server-command.ts';
import type { McpGateway } from '../mcp/mcp-gateway.ts';
import type { Cell, CellListener, CellSpec } from '../cells/cell.ts';
import type { CellRecorder } from '../cells/process/process-cell.ts';
import type { Clock } from '../time/clock.ts';
import type { Limits } from '../config/schema.ts';
import type { Service } from '../services/service.ts';
import type { Timeline } from '../telemetry/timeline.ts';
import type { CallWaiter } from '../tools/pending-call.ts';
import type { ToolBooks } from '../tools/tool-books.ts';
import type { ToolRequest } from '../tools/plugin-tools.ts';
import type { RunningTools } from '../tools/running-tools.ts';

/** What hosted MCP servers need of the daemon. */
export interface HostMcp {
  readonly gateway: () => McpGateway;
  /** Its resources and prompts are for MCP clients. */
  readonly passOn: (plugin: string) => boolean;
  toolsChanged(): void;
}

interface Owner {
  readonly id: string;
  readonly service: Service | undefined;
  readonly timeline: Timeline;
}

export interface PluginServerDeps {
  readonly limits: Limits;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly mcp: HostMcp;
}

interface Outlets {
  readonly records: CellRecorder;
  failed(error: HostError, callId: string | undefined): void;
  readonly books: ToolBooks;
}

/** A tool as it is listed, whether a manifest or a server declares it. */
export type ListedTool = Pick<
  ToolSection,
  'name' | 'title' | 'description' | 'inputSchema' | 'outputSchema' | 'annotations' | 'isolation' | 'timeoutMs'
>;

/** Of what it is refused this many are told one by one; a server may ask for ever. */
const mostToldRefusals = 20;

export class PluginServer implements RunningTools {
  readonly threads = 0;
  readonly unkillable = 0;
  readonly #owner: Owner;
  readonly #deps: PluginServerDeps;
  readonly #records: CellRecorder;
  readonly #tools: ServerTools;
  #refusals = 0;

  constructor(section: McpSection, owner: Owner, deps: PluginServerDeps, { records, failed, books }: Outlets) {
    this.#owner = owner;
    this.#deps = deps;
    this.#records = records;
    this.#tools = new ServerTools(section, {
      clock: deps.clock,
      limits: deps.limits,
      requireComing: () => this.#requireComing(),
      changed: () => deps.mcp.toolsChanged(),
      refused: (method) => this.#refused(method),
      failed,
      books,
    });
  }

  get pending(): number {
    return this.#tools.pendingCalls;
  }

  get sections(): readonly ListedTool[] {
    const { timeoutMs } = this.#tools;
    return this.#tools.list.map((tool) => ({ ...tool, isolation: 'process', timeoutMs }));
  }

  call(request: ToolRequest, waiter: CallWaiter): void {
    this.#tools.call(request, waiter);
  }

  hold(held: boolean): void {
    this.#tools.hold(held);
  }

  close(): Promise<void> {
    this.#tools.close();
    return Promise.resolve();
  }

  replan(section: McpSection): void {
    this.#tools.replan(section);
  }

  /** What waits for a server that does not come is told so. */
  lifecycleChanged(): void {
    if (this.#tools.pendingCalls === 0) return;
    try {
      this.#requireComing();
    } catch (thrown) {
      if (thrown instanceof HostError) this.#tools.givenUp(thrown);
    }
  }

  spawn(section: McpSection, spec: CellSpec, listener: CellListener): Cell {
    const { limits, env, mcp } = this.#deps;
    const { id } = this.#owner;
    const { command, args, cwd, url, timeouts } = section;
    const remote = url === undefined ? undefined : { url, headers: this.#headers(section) };
    return new ServerCell(spec, listener, {
      limits,
      records: this.#records,
      gateway: mcp.gateway(),
      user: this.#tools,
      open: {
        plugin: id,
        ...(remote === undefined ? {} : { remote }),
        outputBytes: limits.toolOutputBytes,
        requestMs: Math.max(timeouts.callMs, timeouts.startMs),
        passOnMs: timeouts.callMs,
        passOn: mcp.passOn(id),
      },
      ...(command === undefined ? {} : { command: serverCommand({ command, args, cwd }, spec.folder, env['PATH']) }),
    });
  }

  /** The credential is read here and goes to the MCP thread alone. */
  #headers({ auth }: McpSection): readonly (readonly [string, string])[] {
    if (auth === undefined) return [];
    const value = this.#deps.env[auth.env];
    if (value === undefined || value === '')
      throw new Error(`the variable ${auth.env} of mcp.auth is not set in the daemon's environment`);
    return [[auth.header, `${auth.prefix}${value}`]];
  }

  #requireComing(): void {
    const { id, service } = this.#owner;
    const status = service?.status();
    if (status === undefined)
      throw new HostError('service_unavailable', `The MCP server ${id} is not there.`, { plugin: id });
    const { lifecycle, restart } = status;
    if (lifecycle === 'starting' || lifecycle === 'running' || restart?.pending === true) return;
    if (lifecycle === 'failed')
      throw new HostError('service_failed', `The MCP server ${id} has failed and does not come back by itself.`, {
        plugin: id,
        cause: status.lastError?.message,
      });
    if (lifecycle === 'ready')
      throw new HostError('service_unavailable', `The MCP server ${id} was not started yet.`, { plugin: id });
    throw new HostError('service_stopped', `The MCP server ${id} is stopped.`, { plugin: id });
  }

  #refused(method: string): void {
    this.#refusals += 1;
    if (this.#refusals > mostToldRefusals) return;
    const { service, timeline } = this.#owner;
    timeline.record({
      level: 'warn',
      event: 'mcp_request_refused',
      message: `The MCP server asked for ${method}, which hosted servers do not get.`,
      incarnation: service?.incarnation ?? 0,
    });
  }
}
