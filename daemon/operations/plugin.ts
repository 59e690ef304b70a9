// What the operations on plugins do.
import type { pluginOperations } from '../../protocol/operations/plugin.ts';
import type { Handlers } from './caller.ts';
import type { Host } from '../host/host.ts';

export function pluginHandlers(host: Host): Pick<Handlers, keyof typeof pluginOperations> {
  return {
    'plugin.list': () => ({
      plugins: host.list().map((hosted) => hosted.summary()),
      invalid: [...host.catalog.invalid],
    }),
    'plugin.show': ({ plugin: id }) => {
      const hosted = host.get(id);
      const { folder, manifest, overridden, notes } = hosted.plugin;
      return { plugin: hosted.summary(), path: folder, manifest, overridden: [...overridden], notes: [...notes] };
    },
    'plugin.load': async ({ path, remember }) => ({ plugin: (await host.load(path, remember)).summary() }),
    'plugin.reload': async ({ plugin: id }) => {
      const {
        hosted,
        events: { kept, discarded },
      } = await host.reload(id);
      return { plugin: hosted.summary(), incarnation: hosted.service?.incarnation ?? 0, kept, discarded };
    },
    'plugin.unload': async ({ plugin: id, discard }) => {
      const events = await host.unload(id, discard);
      return { plugin: { id, state: 'unloaded' }, ...events };
    },
  };
}
