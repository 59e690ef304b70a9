// The plugin's side of what runs in a cell: a service, or the program of a worker. A reload replaces it as a whole.
import type { ServiceSection } from '../../protocol/manifest.ts';
import type { LoadedPlugin } from '../plugins/plugin.ts';

export interface ServicePlan {
  readonly plugin: LoadedPlugin;
  readonly section: ServiceSection;
  readonly env: Readonly<Record<string, string>>;
  readonly entryUrl: string;
}
