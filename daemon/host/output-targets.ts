// How commands reach the services and tools of this daemon's plugins.
import { EncodedJson } from '../../protocol/json-rpc.ts';
import { ReadEvent } from '../dispatch/read-event.ts';
import type { OutputTargets } from '../outputs/drivers.ts';
import type { HostedPlugin } from './hosted-plugin.ts';

/** `get` throws for a plugin that is not loaded. */
export const outputTargets = (get: (plugin: string) => HostedPlugin): OutputTargets => ({
  async publish(plugin, { ingress, kind, source, correlationId, payload, hops }) {
    const service = get(plugin).requireService();
    await Promise.resolve(service.publishSent(new ReadEvent({ ingress, kind, source, correlationId }, payload), hops));
  },
  callTool(plugin, tool, { inputJson, signal }, waiter) {
    const hosted = get(plugin);
    hosted.requireEnabled();
    hosted.callTool({ tool, input: new EncodedJson(inputJson), signal }, waiter);
  },
});
