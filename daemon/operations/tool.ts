// What the operations on tools do.
import type { CallProgress } from '../../protocol/cell/tool-messages.ts';
import { HostError, invalid } from '../../protocol/errors.ts';
import { EncodedJson } from '../../protocol/json-rpc.ts';
import type { OperationResult } from '../../protocol/operations.ts';
import type { toolOperations } from '../../protocol/operations/tool.ts';
import type { Caller, Handlers } from './caller.ts';
import { Deferred } from './deferred.ts';
import type { Host } from '../host/host.ts';
import type { CallWaiter } from '../tools/pending-call.ts';
import { millis } from './millis.ts';

export function toolHandlers(host: Host): Pick<Handlers, keyof typeof toolOperations> {
  return {
    'tool.list': ({ plugin: id }) => ({
      tools: (id === undefined ? host.list() : [host.get(id)]).flatMap(({ plugin }) =>
        plugin.manifest.tools.map(({ name, description, inputSchema, outputSchema, isolation, timeoutMs }) => ({
          plugin: plugin.id,
          name,
          description,
          inputSchema,
          outputSchema,
          isolation,
          timeoutMs,
        })),
      ),
    }),
    'tool.call': ({ plugin: id, tool, input, timeoutMs, callId, progress }, caller) => {
      const progressed = progress === true ? progressTo(caller, callId) : undefined;
      const hosted = host.get(id);
      hosted.requireEnabled();
      const named = callId === undefined ? undefined : host.toolCalls.begin(callId, caller.signal);
      const answer = new Deferred<OperationResult<'tool.call'> | EncodedJson>();
      const waiter: CallWaiter = {
        succeeded: ({ outputJson, durationMs }) => {
          named?.end();
          answer.resolve(new EncodedJson(`{"output":${outputJson},"durationMs":${millis(durationMs)}}`));
        },
        failed: (error) => {
          named?.end();
          answer.reject(error);
        },
        ...(progressed === undefined ? {} : { progressed }),
      };
      try {
        hosted.callTool({ tool, input: input ?? null, timeoutMs, signal: (named ?? caller).signal, callId }, waiter);
      } catch (thrown) {
        named?.end();
        throw thrown;
      }
      return answer;
    },
    'tool.cancel': ({ callId }) => ({ cancelled: host.toolCalls.cancel(callId) }),
  };
}

function progressTo(caller: Caller, callId: string | undefined): (progress: CallProgress) => void {
  if (callId === undefined)
    throw invalid('invalid_request', 'The call', [{ path: 'callId', message: 'is needed where progress is true' }]);
  if (caller.tellProgress === undefined)
    throw new HostError('unsupported_operation', 'Progress is told on the socket, over JSON-RPC.', {
      instead: 'tool.call over JSON-RPC',
    });
  return (progress) => caller.tellProgress?.({ callId, ...progress });
}
