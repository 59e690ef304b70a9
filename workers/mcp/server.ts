// One MCP server for one client, or for one of its requests: what it lists is the offer, what it calls are the host's
// operations. The SDK's low-level server is used because plugins' schemas are passed on and never compiled here.
import { type CallToolResult, ProtocolError, ProtocolErrorCode, Server } from '@modelcontextprotocol/server';
import type { CallProgress } from '../../protocol/cell/tool-messages.ts';
import type { McpThreadOptions } from '../../protocol/mcp/messages.ts';
import { inputOf } from '../../protocol/mcp/plain-calls.ts';
import { refusedResult, toolResult } from '../../protocol/mcp/tool-result.ts';
import type { HostCalls } from './host-calls.ts';
import type { HostedServers } from './hosted/hosted-servers.ts';
import { passOnCompletions, passOnPrompts, passOnResources } from './pass-on.ts';
import type { Offer } from './offer.ts';
import type { Subscriptions } from './subscriptions.ts';

const instructions =
  'The tools of the plugins that this Nagaya daemon hosts. A name is made of the plugin and its tool. A call that fails answers with an error code and what to do about it.';

const capabilities = {
  tools: { listChanged: true },
  resources: { listChanged: true, subscribe: true },
  prompts: { listChanged: true },
  completions: {},
};

export interface ServerParts {
  readonly options: McpThreadOptions;
  readonly offer: Offer;
  readonly calls: HostCalls;
  readonly hosted: HostedServers;
  readonly subscriptions: Subscriptions;
}

/** Says how far a call has come; MCP wants each report to be further than the one before. */
function risingProgress(tell: (progress: CallProgress) => void): (progress: CallProgress) => void {
  let last = -Infinity;
  return (progress) => {
    if (progress.done <= last) return;
    last = progress.done;
    tell(progress);
  };
}

export function makeServer({ options, offer, calls, hosted, subscriptions }: ServerParts): Server {
  const server = new Server(
    { name: 'nagaya', title: 'Nagaya', version: options.version },
    { capabilities, instructions },
  );
  server.setRequestHandler('tools/list', async ({ params }) => {
    await hosted.settled();
    const page = offer.page(params?.cursor, options.pageSize);
    if (page === undefined)
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'params.cursor is not one of ours');
    return page;
  });
  server.setRequestHandler('tools/call', async ({ params }, { mcpReq }) => {
    const found = offer.find(params.name);
    if (found === undefined)
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown tool: ${params.name.slice(0, 200)}`);
    const progressToken = mcpReq._meta?.progressToken;
    const outcome = await calls.call({
      plugin: found.plugin,
      tool: found.tool,
      input: inputOf(found, params.arguments),
      signal: mcpReq.signal,
      progressed:
        progressToken === undefined
          ? undefined
          : risingProgress(({ done, total, message }) => {
              const progress = { progressToken, progress: done, ...(total === undefined ? {} : { total }) };
              mcpReq
                .notify({
                  method: 'notifications/progress',
                  params: { ...progress, ...(message === undefined ? {} : { message }) },
                })
                .catch(() => undefined); // the client has gone, or does not read its stream
            }),
    });
    if (!outcome.ok) {
      // Nobody hears of a call that was withdrawn.
      if (outcome.refusal === undefined)
        throw new ProtocolError(ProtocolErrorCode.InternalError, 'the call was withdrawn');
      return refusedResult(outcome.refusal) as CallToolResult;
    }
    // What a hosted server's tool answers is passed on as the server gave it.
    const result = found.hosted
      ? (JSON.parse(outcome.json) as unknown)
      : toolResult(outcome.json, found.outputSchema !== undefined);
    return server.projectCallToolResult(result as CallToolResult, found.outputSchema);
  });
  passOnResources(server, hosted, subscriptions);
  passOnPrompts(server, hosted);
  passOnCompletions(server, hosted);
  server.onerror = () => undefined;
  return server;
}
