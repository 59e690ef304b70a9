// Resources and prompts of hosted servers, passed on to MCP clients: lists are put together, and what is asked for goes
// to the server that listed it. Prompts are named as tools are; resources keep their addresses.
import { ProtocolError, ProtocolErrorCode, type Server } from '@modelcontextprotocol/server';
import { toolNames } from '../../protocol/mcp/tool-names.ts';
import type { HostedServer } from './hosted/hosted-server.ts';
import type { HostedServers } from './hosted/hosted-servers.ts';
import { type Fields, isFields } from './hosted/listed-tools.ts';
import type { RequestOutcome } from './hosted/server-requests.ts';

const maxItems = 10_000;
const maxPages = 100;

interface Listed {
  readonly server: HostedServer;
  readonly item: Fields;
}

/** A server that does not answer is left out: the others are not held up for it. */
async function listOf(servers: readonly HostedServer[], method: string, member: string): Promise<Listed[]> {
  const lists = await Promise.all(servers.map((server) => listOfOne(server, method, member)));
  return lists.flat().slice(0, maxItems);
}

async function listOfOne(server: HostedServer, method: string, member: string): Promise<Listed[]> {
  const listed: Listed[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < maxPages && listed.length < maxItems; page += 1) {
    const outcome = await server.request(method, cursor === undefined ? {} : { cursor });
    const items = outcome.ok ? outcome.result[member] : undefined;
    if (!outcome.ok || !Array.isArray(items)) break;
    for (const item of items) if (isFields(item)) listed.push({ server, item });
    const { nextCursor } = outcome.result;
    if (typeof nextCursor !== 'string' || nextCursor === cursor) break;
    cursor = nextCursor;
  }
  return listed;
}

function resultOf(outcome: RequestOutcome): Fields {
  if (outcome.ok) return outcome.result;
  throw new ProtocolError(outcome.number === 0 ? ProtocolErrorCode.InternalError : outcome.number, outcome.message);
}

export function passOnResources(server: Server, hosted: HostedServers): void {
  // What the servers answer is passed on as it is; the SDK looks at its shape.
  server.setRequestHandler('resources/list', async () => ({
    resources: (await listOf(hosted.offering('resources'), 'resources/list', 'resources')).map(
      ({ item }) => item as never,
    ),
  }));
  server.setRequestHandler('resources/templates/list', async () => ({
    resourceTemplates: (
      await listOf(hosted.offering('resources'), 'resources/templates/list', 'resourceTemplates')
    ).map(({ item }) => item as never),
  }));
  server.setRequestHandler('resources/read', async ({ params }) => {
    const { uri } = params;
    const servers = hosted.offering('resources');
    const listed = await listOf(servers, 'resources/list', 'resources');
    const owner = listed.find(({ item }) => item['uri'] === uri)?.server;
    let last: RequestOutcome | undefined;
    // One that no list names may fit a template of any of them.
    for (const candidate of owner === undefined ? servers : [owner]) {
      last = await candidate.request('resources/read', { uri });
      if (last.ok) break;
    }
    if (last === undefined)
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown resource: ${uri.slice(0, 200)}`);
    return resultOf(last) as never;
  });
}

export function passOnPrompts(server: Server, hosted: HostedServers): void {
  const prompts = async (): Promise<(Listed & { readonly name: string; readonly own: string })[]> => {
    const listed = await listOf(hosted.offering('prompts'), 'prompts/list', 'prompts');
    const owns = listed.map(({ item }) => (typeof item['name'] === 'string' ? item['name'] : ''));
    const names = toolNames(listed.map((one, at) => ({ plugin: one.server.plugin, tool: owns[at] ?? '' })));
    return listed.map((one, at) => ({ ...one, name: names[at] ?? '', own: owns[at] ?? '' }));
  };
  server.setRequestHandler('prompts/list', async () => ({
    prompts: (await prompts()).map(({ item, name }) => ({ ...item, name }) as never),
  }));
  server.setRequestHandler('prompts/get', async ({ params }) => {
    const found = (await prompts()).find(({ name }) => name === params.name);
    if (found === undefined)
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown prompt: ${params.name.slice(0, 200)}`);
    const outcome = await found.server.request('prompts/get', { name: found.own, arguments: params.arguments ?? {} });
    return resultOf(outcome) as never;
  });
}
