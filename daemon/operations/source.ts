// What the operations on sources do.
import type { sourceOperations } from '../../protocol/operations/source.ts';
import type { Handlers } from './caller.ts';
import type { Host } from '../host/host.ts';

export function sourceHandlers(host: Host): Pick<Handlers, keyof typeof sourceOperations> {
  const requireService = (id: string): void => void host.get(id).requireService();
  return {
    'source.list': async ({ plugin }) => {
      if (plugin !== undefined) host.get(plugin);
      return { sources: await host.edge.list(plugin) };
    },
    'source.pause': async ({ plugin, source }) => {
      requireService(plugin);
      return await host.edge.pause(plugin, source, true);
    },
    'source.resume': async ({ plugin, source }) => {
      requireService(plugin);
      return await host.edge.pause(plugin, source, false);
    },
    'source.trigger': async ({ plugin, source }) => {
      requireService(plugin);
      return await host.edge.trigger(plugin, source);
    },
  };
}
