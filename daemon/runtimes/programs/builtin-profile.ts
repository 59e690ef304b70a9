// The profile that the daemon brings along, for workers that ask for none: described like a plugin's and run like one.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { manifest } from '../../../protocol/manifest.ts';
import { cellEntry } from '../../isolates/entries.ts';
import type { LoadedPlugin } from '../../plugins/plugin.ts';
import { builtinId } from '../../plugins/reserved-id.ts';
import { PluginProfiles } from './plugin-profiles.ts';
import type { ProgramHome } from './program-offer.ts';

/** It holds one input at a time and nothing else. */
const heapMb = 32;
const timeoutMs = 10_000;

export function builtinProfiles(version: string, home: ProgramHome): PluginProfiles {
  const entry = fileURLToPath(cellEntry('default-profile'));
  const plugin: LoadedPlugin = {
    id: builtinId,
    folder: dirname(entry),
    entry,
    manifest: manifest.parse({
      schemaVersion: 1,
      id: builtinId,
      name: 'Built in',
      version,
      entry: './default-profile.js',
      limits: { heapMb },
      profiles: [{ name: 'default', description: 'Has no tools; acknowledges what it is given.', timeoutMs }],
    }),
    overridden: [],
    enabled: true,
    autostart: true,
    config: {},
    notes: [],
  };
  const profiles = new PluginProfiles(home);
  profiles.replan(plugin, {});
  return profiles;
}
