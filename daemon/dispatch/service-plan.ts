// The plugin's side of what runs in a cell: a service, or the program of a worker. A reload replaces it as a whole.
import { pathToFileURL } from 'node:url';
import type { ServiceSection } from '../../protocol/manifest.ts';
import type { LoadedPlugin } from '../plugins/plugin.ts';

export interface ServicePlan {
  readonly plugin: LoadedPlugin;
  readonly section: ServiceSection;
  readonly env: Readonly<Record<string, string>>;
  readonly entryUrl: string;
}

/** Undefined where the plugin declares no service. */
export function planOf(plugin: LoadedPlugin, env: Readonly<Record<string, string>>): ServicePlan | undefined {
  const section = plugin.manifest.service;
  return section === undefined ? undefined : { plugin, section, env, entryUrl: pathToFileURL(plugin.entry).href };
}

/** The same plan, carried out by the code of `plugin`. */
export function withCodeOf(plan: ServicePlan, { codeFolder, entry }: LoadedPlugin): ServicePlan {
  const plugin = { ...plan.plugin, entry, ...(codeFolder === undefined ? {} : { codeFolder }) };
  return { ...plan, plugin, entryUrl: pathToFileURL(entry).href };
}
