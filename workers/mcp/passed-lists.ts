// Lists of resources and prompts as MCP clients get them: put together of what every hosted server lists. Each server
// has so much time and may list so much; what is beyond that, or has no form that MCP knows, is left out, so that no
// server can spoil the list of the others.
import { isSpecType } from '@modelcontextprotocol/server';
import { type Fields, isFields } from '../../protocol/fields.ts';
import type { HostedServer } from './hosted/hosted-server.ts';
import type { ListKind } from './hosted/kept-lists.ts';

/** Of all servers together. */
export const maxItems = 10_000;
const maxPages = 100;
/** Of one server, as JSON. */
const maxListBytes = 4 * 1024 * 1024;
/** For all pages of one server, unless its own calls may not take that long. */
const wholeListMs = 5000;
/** For a server that did not answer in time the last time: nobody waits for it again and again. */
const lateListMs = 250;

export interface Listed {
  readonly server: HostedServer;
  readonly item: Fields;
}

interface Kind {
  readonly method: string;
  readonly isItem: (item: Fields) => boolean;
  /** What clients name one by. */
  readonly key: 'uri' | 'uriTemplate' | 'name';
}

const kinds: Readonly<Record<ListKind, Kind>> = {
  resources: { method: 'resources/list', isItem: isSpecType.Resource, key: 'uri' },
  resourceTemplates: { method: 'resources/templates/list', isItem: isSpecType.ResourceTemplate, key: 'uriTemplate' },
  prompts: { method: 'prompts/list', isItem: isSpecType.Prompt, key: 'name' },
};

/** They did not answer in time when they were asked last. */
const late = new WeakSet<HostedServer>();

export const isLate = (server: HostedServer): boolean => late.has(server);

export async function listOf(servers: readonly HostedServer[], kind: ListKind): Promise<Listed[]> {
  const lists = await Promise.all(servers.map((server) => listedBy(server, kind)));
  return sharedOut(lists, maxItems);
}

/** Asks the server, and keeps the addresses or names. */
export async function listedBy(server: HostedServer, kind: ListKind): Promise<Listed[]> {
  const changes = server.kept.changesOf(kind);
  const { listed, isWhole } = await listOfOne(server, kind);
  const keys = listed.map(({ item }) => String(item[kinds[kind].key]));
  server.kept.keep(kind, { keys, isWhole }, changes);
  return listed;
}

/** It is whole also where the server lists more than clients see. */
async function listOfOne(
  server: HostedServer,
  kind: ListKind,
): Promise<{ readonly listed: Listed[]; readonly isWhole: boolean }> {
  const { method, isItem } = kinds[kind];
  const dueMs = performance.now() + (late.has(server) ? lateListMs : Math.min(wholeListMs, server.passOnMs));
  const listed: Listed[] = [];
  let cursor: string | undefined;
  let bytes = 0;
  for (let page = 0; page < maxPages; page += 1) {
    const withinMs = Math.max(1, dueMs - performance.now());
    const outcome = await server.request(method, cursor === undefined ? {} : { cursor }, withinMs);
    if (outcome.ok) late.delete(server);
    else if (outcome.timedOut === true) late.add(server);
    const items = outcome.ok ? outcome.result[kind] : undefined;
    if (!outcome.ok || !Array.isArray(items)) return { listed, isWhole: false };
    for (const item of items as unknown[]) {
      if (!isFields(item) || !isItem(item)) {
        server.warnOnce(`It lists something in ${method} that MCP has no form for; clients do not see that.`);
        continue;
      }
      bytes += JSON.stringify(item).length;
      if (bytes > maxListBytes || listed.length === maxItems) {
        server.warnOnce(
          `It lists more than ${String(maxItems)} items or ${String(maxListBytes)} bytes in ${method}; clients do not see the rest.`,
        );
        return { listed, isWhole: true };
      }
      listed.push({ server, item });
    }
    const { nextCursor } = outcome.result;
    if (typeof nextCursor !== 'string' || nextCursor === cursor) return { listed, isWhole: true };
    cursor = nextCursor;
  }
  server.warnOnce(`It lists more than ${String(maxPages)} pages in ${method}; clients do not see the rest.`);
  return { listed, isWhole: true };
}

/** Short lists stay whole, and long ones share what is left. */
export function sharedOut<Item>(lists: readonly (readonly Item[])[], most: number): Item[] {
  const taken = new Map<readonly Item[], number>();
  let left = most;
  const byLength = [...lists].sort((one, other) => one.length - other.length);
  for (const [at, list] of byLength.entries()) {
    const share = Math.min(list.length, Math.floor(left / (byLength.length - at)));
    taken.set(list, share);
    left -= share;
  }
  return lists.flatMap((list) => list.slice(0, taken.get(list)));
}
