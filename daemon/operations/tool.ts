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
import type { ToolRequest } from '../tools/plugin-tools.ts';
import { millis } from './millis.ts';

export function toolHandlers(host: Host): Pick<Handlers, keyof typeof toolOperations> {
  return {
    'tool.list': ({ plugin: id }) => ({
      tools: (id === undefined ? host.list() : [host.get(id)]).flatMap((hosted) =>
        hosted.toolList.map(
          ({ name, title, description, inputSchema, outputSchema, annotations, isolation, timeoutMs }) => ({
            plugin: hosted.id,
            name,
            ...(title === undefined ? {} : { title }),
            description,
            inputSchema,
            outputSchema,
            ...(annotations === undefined ? {} : { annotations }),
            isolation,
            timeoutMs,
          }),
        ),
      ),
    }),
    'tool.call': ({ plugin: id, tool, input, timeoutMs, callId, progress }, caller) => {
      const progressed = progress === true ? progressTo(caller, callId) : undefined;
      const answer = new Deferred<OperationResult<'tool.call'> | EncodedJson>();
      beginToolCall(
        host,
        { plugin: id, tool, input: input ?? null, timeoutMs, signal: caller.signal, callId },
        {
          succeeded: ({ outputJson, durationMs }) =>
            answer.resolve(new EncodedJson(`{"output":${outputJson},"durationMs":${millis(durationMs)}}`)),
          failed: (error) => answer.reject(error),
          progressed,
        },
      );
      return answer;
    },
    'tool.cancel': ({ callId }) => ({ cancelled: host.toolCalls.cancel(callId) }),
  };
}

/**
 * A call that tool.cancel finds where it has an id. Throws what it refuses; from then on the waiter hears of the end.
 * `own`: the controller of the signal, where no other call has it.
 */
export function beginToolCall(
  host: Host,
  { plugin, tool, input, timeoutMs, signal, callId }: ToolRequest & { readonly plugin: string },
  waiter: CallWaiter,
  own?: AbortController,
): void {
  const hosted = host.get(plugin);
  hosted.requireEnabled();
  const named = callId === undefined ? undefined : host.toolCalls.begin(callId, signal, own);
  const { progressed } = waiter;
  try {
    hosted.callTool(
      // Member by member: to copy them costs more than all else here.
      { tool, input, timeoutMs, signal: named?.signal ?? signal, callId },
      {
        succeeded: (result) => {
          named?.end();
          waiter.succeeded(result);
        },
        failed: (error) => {
          named?.end();
          waiter.failed(error);
        },
        progressed,
      },
    );
  } catch (thrown) {
    named?.end();
    throw thrown;
  }
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
