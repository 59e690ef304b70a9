// Resources and prompts of hosted servers, passed on to MCP clients: lists are put together, and what is asked for goes
// to the server that listed it. Prompts are named as tools are; resources keep their addresses. Completions of
// arguments and subscriptions to resources go the same way.
import { ProtocolError, ProtocolErrorCode, type Server } from '@modelcontextprotocol/server';
import { toolNames } from '../../protocol/mcp/tool-names.ts';
import type { HostedServer } from './hosted/hosted-server.ts';
import type { HostedServers } from './hosted/hosted-servers.ts';
import type { Fields } from '../../protocol/fields.ts';
import type { RequestOutcome } from './hosted/server-requests.ts';
import { type Listed, isLate, listOf } from './passed-lists.ts';
import type { Holder, Subscriptions } from './subscriptions.ts';

function resultOf(outcome: RequestOutcome): Fields {
  if (outcome.ok) return outcome.result;
  const number = outcome.number === 0 ? ProtocolErrorCode.InternalError : outcome.number;
  throw new ProtocolError(number, outcome.message, outcome.data);
}

/**
 * The server that lists it. Where none does, it may fit a template of any: then all of them, those last that did not
 * answer in time.
 */
export async function serversOfResource(hosted: HostedServers, uri: string): Promise<readonly HostedServer[]> {
  const servers = hosted.offering('resources');
  const listed = await listOf(servers, 'resources');
  const owner = listed.find(({ item }) => item['uri'] === uri)?.server;
  if (owner !== undefined) return [owner];
  return [...servers.filter((server) => !isLate(server)), ...servers.filter(isLate)];
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
    let last: RequestOutcome | undefined;
    for (const candidate of await serversOfResource(hosted, uri)) {
      last = await candidate.request('resources/read', { uri });
      if (last.ok) break;
    }
    if (last === undefined)
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown resource: ${uri.slice(0, 200)}`, { uri });
    return resultOf(last) as never;
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
      const found = (await promptsOf(hosted)).find(({ name }) => name === ref.name);
      if (found === undefined || !servers.includes(found.server)) return nothingToComplete;
      const own = { ...rest, ref: { ...ref, name: found.own } };
      return resultOf(await found.server.request('completion/complete', own)) as never;
    }
    const templates = await listOf(servers, 'resourceTemplates');
    const owner = templates.find(({ item }) => item['uriTemplate'] === ref.uri)?.server;
    if (owner === undefined) return nothingToComplete;
    return resultOf(await owner.request('completion/complete', params)) as never;
  });
}

const nothingToComplete = { completion: { values: [], hasMore: false } };

async function promptsOf(hosted: HostedServers): Promise<(Listed & { readonly name: string; readonly own: string })[]> {
  const listed = await listOf(hosted.offering('prompts'), 'prompts');
  const owns = listed.map(({ item }) => (typeof item['name'] === 'string' ? item['name'] : ''));
  const names = toolNames(listed.map((one, at) => ({ plugin: one.server.plugin, tool: owns[at] ?? '' })));
  return listed.map((one, at) => ({ ...one, name: names[at] ?? '', own: owns[at] ?? '' }));
}

export function passOnPrompts(server: Server, hosted: HostedServers): void {
  server.setRequestHandler('prompts/list', async () => ({
    prompts: (await promptsOf(hosted)).map(({ item, name }) => ({ ...item, name }) as never),
  }));
  server.setRequestHandler('prompts/get', async ({ params }) => {
    const found = (await promptsOf(hosted)).find(({ name }) => name === params.name);
    if (found === undefined)
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown prompt: ${params.name.slice(0, 200)}`);
    const outcome = await found.server.request('prompts/get', { name: found.own, arguments: params.arguments ?? {} });
    return resultOf(outcome) as never;
  });
}
