// The plugin's side of what runs in a cell: a service, or the program of a worker. A reload replaces it as a whole.
import { pathToFileURL } from 'node:url';
import { type McpSection, type ServiceSection, serviceSection } from '../../protocol/manifest.ts';
import type { LoadedPlugin } from '../plugins/plugin.ts';

export interface ServicePlan {
  readonly plugin: LoadedPlugin;
  readonly section: ServiceSection;
  readonly env: Readonly<Record<string, string>>;
  readonly entryUrl: string;
}

/** Undefined where the plugin declares no service. */
export function planOf(plugin: LoadedPlugin, env: Readonly<Record<string, string>>): ServicePlan | undefined {
  const { service, mcp } = plugin.manifest;
  const section = mcp === undefined ? service : supervising(mcp);
  return section === undefined ? undefined : { plugin, section, env, entryUrl: pathToFileURL(plugin.entry).href };
}

/** A hosted MCP server is supervised like a service; no event ever comes to it. */
function supervising({ timeouts: { startMs, stopMs }, restart }: McpSection): ServiceSection {
  return serviceSection.parse({
    ingresses: [{ name: 'none', kinds: ['none'] }],
    timeouts: { startMs, stopMs },
    restart,
    queue: { durability: 'memory' },
  });
}

/** The same plan, carried out by the code of `plugin`. */
export function withCodeOf(plan: ServicePlan, { codeFolder, entry }: LoadedPlugin): ServicePlan {
  const plugin = { ...plan.plugin, entry, ...(codeFolder === undefined ? {} : { codeFolder }) };
  return { ...plan, plugin, entryUrl: pathToFileURL(entry).href };
}
