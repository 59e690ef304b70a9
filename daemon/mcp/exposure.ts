// Which tools MCP clients are offered: those that the configuration allows and does not deny, by patterns, and with
// `mcp.pin` only as they were approved.
import { HostError } from '../../protocol/errors.ts';
import type { OfferedTool } from '../../protocol/mcp/messages.ts';
import { toolNames } from '../../protocol/mcp/tool-names.ts';
import type { McpTool } from '../../protocol/operations/mcp.ts';
import type { McpConfig } from '../config/schema.ts';
import type { Approvals } from './approvals.ts';

export type KnownTool = Omit<OfferedTool, 'name'>;

/** A tool with its name for clients, and whether they are offered it. */
export type NamedTool = OfferedTool & Pick<McpTool, 'state' | 'changed'>;

export class Exposure {
  readonly #config: McpConfig;
  readonly #tools: () => readonly KnownTool[];
  readonly #approvals: Approvals | undefined;

  /** `approvals`: where `mcp.pin` is on. */
  constructor(config: McpConfig, tools: () => readonly KnownTool[], approvals: Approvals | undefined) {
    this.#config = config;
    this.#tools = tools;
    this.#approvals = approvals;
  }

  get pinned(): boolean {
    return this.#approvals !== undefined;
  }

  list(): NamedTool[] {
    const tools = this.#tools();
    const names = toolNames(tools);
    return tools.map((tool, at) => this.#named({ ...tool, name: names[at] ?? '' }));
  }

  offered(): OfferedTool[] {
    return this.list().filter(({ state }) => state === 'exposed');
  }

  /** Answers the names of what was held and is not any more. */
  async approve(names: readonly string[] | undefined): Promise<string[]> {
    const approvals = this.#approvals;
    if (approvals === undefined)
      throw new HostError('unsupported_operation', 'Nothing is held back: mcp.pin is off.', {
        instead: 'mcp.pin: true',
      });
    const tools = this.list();
    const unknown = names?.find((name) => !tools.some((tool) => tool.name === name));
    if (unknown !== undefined)
      throw new HostError('tool_not_found', `There is no tool that MCP clients know as "${unknown}".`, {
        tool: unknown,
      });
    const held = tools.filter(({ state, name }) => state === 'held' && (names?.includes(name) ?? true));
    approvals.approve(held);
    await approvals.written();
    return held.map(({ name }) => name);
  }

  /** Whether something of a plugin that is no tool is for clients. */
  admits(name: string): boolean {
    const { allow, deny } = this.#config.expose;
    return allow.some((pattern) => fits(pattern, name)) && !deny.some((pattern) => fits(pattern, name));
  }

  #named(tool: OfferedTool): NamedTool {
    const { allow, deny } = this.#config.expose;
    const matches = (pattern: string): boolean =>
      fits(pattern, tool.name) || fits(pattern, `${tool.plugin}/${tool.tool}`);
    if (!allow.some(matches) || deny.some(matches)) return { ...tool, state: 'denied', changed: [] };
    const changed = this.#approvals?.changesOf(tool) ?? [];
    return { ...tool, state: changed.length > 0 ? 'held' : 'exposed', changed };
  }
}

/** `*` stands for any characters. Walks both once, whatever the pattern. */
export function fits(pattern: string, text: string): boolean {
  const parts = pattern.split('*');
  const [first = '', ...rest] = parts;
  if (rest.length === 0) return pattern === text;
  const last = rest.pop() ?? '';
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found === -1 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
