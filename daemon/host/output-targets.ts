// How commands reach the services and tools of this daemon's plugins.
import { createHash } from 'node:crypto';
import { openIdForm } from '../../protocol/identifier-forms.ts';
import { EncodedJson } from '../../protocol/json-rpc.ts';
import { ReadEvent } from '../dispatch/read-event.ts';
import type { OutputTargets } from '../outputs/drivers.ts';
import type { HostedPlugin } from './hosted-plugin.ts';

/** A command's key may be any text, that of an event is an identifier. */
const orderKey = (text: string): string =>
  openIdForm.test(text) ? text : `sha256:${createHash('sha256').update(text).digest('hex')}`;

/** `get` throws for a plugin that is not loaded. */
export const outputTargets = (
  get: (plugin: string) => HostedPlugin,
  { edge, worker }: Pick<OutputTargets, 'edge' | 'worker'>,
): OutputTargets => ({
  edge,
  worker,
  async publish(plugin, { ingress, kind, source, correlationId, payload, idempotencyKey, key, hops }) {
    const service = get(plugin).requireService();
    const parts = {
      ingress,
      kind,
      source,
      correlationId,
      // It has no slash.
      idempotencyKey: idempotencyKey.replaceAll('/', ':'),
      key: key === undefined ? undefined : orderKey(key),
    };
    await service.publishSent(new ReadEvent(parts, payload), hops);
  },
  callTool(plugin, tool, { inputJson, signal }, waiter) {
    const hosted = get(plugin);
    hosted.requireEnabled();
    hosted.callTool({ tool, input: new EncodedJson(inputJson), signal }, waiter);
  },
});
