// What the operations on tools do.
import { EncodedJson } from '../../protocol/json-rpc.ts';
import type { toolOperations } from '../../protocol/operations/tool.ts';
import type { Handlers } from '../control/caller.ts';
import type { Host } from '../host.ts';
import { millis } from './millis.ts';

export function toolHandlers(host: Host): Pick<Handlers, keyof typeof toolOperations> {
  return {
    'tool.list': ({ plugin: id }) => ({
      tools: (id === undefined ? host.list() : [host.get(id)]).flatMap(({ plugin }) =>
        plugin.manifest.tools.map(({ name, description, inputSchema, outputSchema, isolation, timeoutMs }) => ({ plugin: plugin.id, name, description, inputSchema, outputSchema, isolation, timeoutMs })),
      ),
    }),
    'tool.call': async ({ plugin: id, tool, input, timeoutMs, callId }, caller) => {
      const hosted = host.get(id);
      hosted.requireEnabled();
      const call = host.toolCalls.begin(callId, caller.signal);
      try {
        const { outputJson, durationMs } = await hosted.callTool({
          tool,
          input: input ?? null,
          signal: call.signal,
          ...(timeoutMs === undefined ? {} : { timeoutMs }),
          ...(callId === undefined ? {} : { callId }),
        });
        return new EncodedJson(`{"output":${outputJson},"durationMs":${millis(durationMs)}}`);
      } finally {
        call.end();
      }
    },
    'tool.cancel': ({ callId }) => ({ cancelled: host.toolCalls.cancel(callId) }),
  };
}
