// How commands reach the services and tools of this daemon's plugins.
import { EncodedJson } from '../../protocol/json-rpc.ts';
import { ReadEvent } from '../dispatch/read-event.ts';
import type { OutputTargets } from '../outputs/drivers.ts';
import type { HostedPlugin } from './hosted-plugin.ts';

/** `get` throws for a plugin that is not loaded. */
export const outputTargets = (
  get: (plugin: string) => HostedPlugin,
  { edge, worker }: Pick<OutputTargets, 'edge' | 'worker'>,
): OutputTargets => ({
  edge,
  worker,
  async publish(plugin, { ingress, kind, source, correlationId, payload, idempotencyKey, hops }) {
    const service = get(plugin).requireService();
    // A key has no slash.
    const key = idempotencyKey.replaceAll('/', ':');
    const parts = { ingress, kind, source, correlationId, idempotencyKey: key };
    await service.publishSent(new ReadEvent(parts, payload), hops);
  },
  callTool(plugin, tool, { inputJson, signal }, waiter) {
    const hosted = get(plugin);
    hosted.requireEnabled();
    hosted.callTool({ tool, input: new EncodedJson(inputJson), signal }, waiter);
  },
});
