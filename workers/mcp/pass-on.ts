// Resources and prompts of hosted servers, passed on to MCP clients: lists are put together, and what is asked for goes
// to the server that listed it. Prompts are named as tools are; resources keep their addresses. Completions of
// arguments and subscriptions to resources go the same way.
import { ProtocolError, ProtocolErrorCode, type Server } from '@modelcontextprotocol/server';
import { toolNames } from '../../protocol/mcp/tool-names.ts';
import type { HostedServer } from './hosted/hosted-server.ts';
import type { HostedServers } from './hosted/hosted-servers.ts';
import type { Fields } from '../../protocol/fields.ts';
import type { RequestOutcome } from './hosted/server-requests.ts';
import { type NamedPrompt, askForResource, ownerOfTemplate, promptNamed } from './owners.ts';
import { listOf } from './passed-lists.ts';
import type { Holder, Subscriptions } from './subscriptions.ts';

function resultOf(outcome: RequestOutcome): Fields {
  if (outcome.ok) return outcome.result;
  const number = outcome.number === 0 ? ProtocolErrorCode.InternalError : outcome.number;
  throw new ProtocolError(number, outcome.message, outcome.data);
}

export function passOnResources(server: Server, hosted: HostedServers, subscriptions: Subscriptions): void {
  server.setRequestHandler('resources/list', async () => ({
    resources: (await listOf(hosted.offering('resources'), 'resources')).map(({ item }) => item as never),
  }));
  server.setRequestHandler('resources/templates/list', async () => ({
    resourceTemplates: (await listOf(hosted.offering('resources'), 'resourceTemplates')).map(
      ({ item }) => item as never,
    ),
  }));
  server.setRequestHandler('resources/read', async ({ params }) => {
    const { uri } = params;
    const read = (owner: HostedServer): Promise<RequestOutcome> => owner.request('resources/read', { uri });
    const asked = await askForResource(hosted.offering('resources'), uri, read);
    if (asked === undefined)
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown resource: ${uri.slice(0, 200)}`, { uri });
    return resultOf(asked.outcome) as never;
  });
  // The client hears of changes for as long as it is there.
  const holder: Holder = { resourceUpdated: (uri) => void server.sendResourceUpdated({ uri }).catch(() => undefined) };
  const { onclose } = server;
  server.onclose = () => {
    subscriptions.releaseAll(holder);
    onclose?.();
  };
  server.setRequestHandler('resources/subscribe', async ({ params }) => {
    await subscriptions.hold(holder, params.uri);
    return {};
  });
  server.setRequestHandler('resources/unsubscribe', ({ params }) => {
    subscriptions.release(holder, params.uri);
    return {};
  });
}

/** A prompt's or a template's arguments, completed by the server that has it. */
export function passOnCompletions(server: Server, hosted: HostedServers): void {
  server.setRequestHandler('completion/complete', async ({ params }) => {
    const { ref, ...rest } = params;
    const servers = hosted.offering('completions');
    if (ref.type === 'ref/prompt') {
      const found = await promptNamed(hosted.offering('prompts'), ref.name);
      if (found === undefined || !servers.includes(found.server)) return nothingToComplete;
      const own = { ...rest, ref: { ...ref, name: found.own } };
      return resultOf(await found.server.request('completion/complete', own)) as never;
    }
    const owner = await ownerOfTemplate(servers, ref.uri);
    if (owner === undefined) return nothingToComplete;
    return resultOf(await owner.request('completion/complete', params)) as never;
  });
}

const nothingToComplete = { completion: { values: [], hasMore: false } };

export function passOnPrompts(server: Server, hosted: HostedServers): void {
  server.setRequestHandler('prompts/list', async () => {
    const listed = await listOf(hosted.offering('prompts'), 'prompts');
    const names = toolNames(
      listed.map(({ server: owner, item }) => ({ plugin: owner.plugin, tool: String(item['name']) })),
    );
    return { prompts: listed.map(({ item }, at) => ({ ...item, name: names[at] }) as never) };
  });
  server.setRequestHandler('prompts/get', async ({ params }) => {
    const get = ({ server: owner, own }: NamedPrompt): Promise<RequestOutcome> =>
      owner.request('prompts/get', { name: own, arguments: params.arguments ?? {} });
    const found = await promptNamed(hosted.offering('prompts'), params.name);
    if (found === undefined)
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown prompt: ${params.name.slice(0, 200)}`);
    const outcome = await get(found);
    if (outcome.ok || outcome.timedOut === true) return resultOf(outcome) as never;
    // It may be another's by now, without a word from either.
    found.server.kept.forget('prompts');
    const now = await promptNamed(hosted.offering('prompts'), params.name);
    const same = now === undefined || (now.server === found.server && now.own === found.own);
    return resultOf(same ? outcome : await get(now)) as never;
  });
}
