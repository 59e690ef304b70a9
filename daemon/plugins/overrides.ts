// Lays what the operator configures for a plugin over what its manifest declares. An override that hits nothing is a
// fault, because silently ignoring it would leave the operator believing in a bound that does not hold.
import { isDeepStrictEqual } from 'node:util';
import type { Issue } from '../../protocol/errors.ts';
import { nearest } from '../../protocol/issues.ts';
import type { Manifest, ServiceSection, ToolSection } from '../../protocol/manifest.ts';
import type { PluginOverride } from '../config/schema.ts';

export interface Overridden {
  readonly manifest: Manifest;
  /** Only what the override really changed: `limits.heapMb`, `service.queue.capacity`, `tools.greet.timeoutMs`. */
  readonly overridden: readonly string[];
  readonly issues: readonly Issue[];
}

export function applyOverride(declared: Manifest, override: PluginOverride): Overridden {
  const overridden: string[] = [];
  const issues: Issue[] = [];
  const where = `plugins.overrides.${declared.id}`;

  const lay = <Section extends object>(path: string, section: Section, over: Partial<Section> | undefined): Section => {
    const changed = Object.entries(over ?? {}).filter(([key, value]) => value !== undefined && !isDeepStrictEqual(section[key as keyof Section], value));
    for (const [key] of changed) overridden.push(path === '' ? key : `${path}.${key}`);
    return { ...section, ...Object.fromEntries(changed) };
  };

  const layService = (service: ServiceSection | undefined): ServiceSection | undefined => {
    if (service !== undefined) {
      return {
        ...service,
        queue: lay('service.queue', service.queue, override.queue),
        timeouts: lay('service.timeouts', service.timeouts, override.timeouts),
        restart: lay('service.restart', service.restart, override.restart),
        retry: lay('service.retry', service.retry, override.retry),
      };
    }
    for (const section of ['queue', 'timeouts', 'restart', 'retry'] as const) {
      if (override[section] !== undefined) issues.push({ path: `${where}.${section}`, message: 'the plugin has no service; remove this override' });
    }
    return undefined;
  };

  const layTools = (tools: readonly ToolSection[]): ToolSection[] => {
    const names = tools.map((tool) => tool.name);
    const over = new Map(Object.entries(override.tools ?? {}));
    for (const name of over.keys()) {
      if (!names.includes(name)) issues.push({ path: `${where}.tools.${name}`, message: unknownTool(name, names) });
    }
    return tools.map((tool) => lay(`tools.${tool.name}`, tool, over.get(tool.name)));
  };

  const { isolation, env, permissions } = override;
  // Each replaces what the manifest says as a whole: a grant of the manifest's must not outlive the operator's own list.
  const top = lay('', declared, { ...(isolation === undefined ? {} : { isolation }), ...(env === undefined ? {} : { env }), ...(permissions === undefined ? {} : { permissions }) });
  const manifest: Manifest = { ...top, limits: lay('limits', top.limits, override.limits), tools: layTools(top.tools) };
  const service = layService(declared.service);
  return { manifest: service === undefined ? manifest : { ...manifest, service }, overridden, issues };
}

function unknownTool(name: string, names: readonly string[]): string {
  if (names.length === 0) return 'the plugin has no tools; remove this override';
  const meant = nearest(name, names);
  return `the plugin has no such tool; ${meant === undefined ? `its tools are ${names.slice(0, 20).join(', ')}` : `did you mean "${meant}"?`}`;
}
