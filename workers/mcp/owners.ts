// Which hosted server has a resource or a prompt that a client names. What the servers have listed before says it; they
// list again where that may be old: after a refusal, or when nobody is known to have it.
import { toolNames } from '../../protocol/mcp/tool-names.ts';
import type { HostedServer } from './hosted/hosted-server.ts';
import type { ListKind } from './hosted/kept-lists.ts';
import type { RequestOutcome } from './hosted/server-requests.ts';
import { isLate, listedBy, maxItems, sharedOut } from './passed-lists.ts';

export interface Asked {
  readonly server: HostedServer;
  readonly outcome: RequestOutcome;
}

/**
 * Asks the server that has the resource. Where none lists it, it may fit a template of any: then one after the other,
 * those last that did not answer in time.
 */
export async function askForResource(
  servers: readonly HostedServer[],
  uri: string,
  ask: (server: HostedServer) => Promise<RequestOutcome>,
): Promise<Asked | undefined> {
  const known = servers.find((server) => server.kept.hasResource(uri));
  let last: Asked | undefined;
  if (known !== undefined) {
    last = { server: known, outcome: await ask(known) };
    // One that did not answer in time may be at it still.
    if (last.outcome.ok || last.outcome.timedOut === true) return last;
    known.kept.forget('resources');
  }
  await listAgain(servers, 'resources');
  const owner = servers.find((server) => server.kept.holds('resources', uri));
  const inTurn =
    owner === undefined
      ? [...servers.filter((server) => !isLate(server)), ...servers.filter((server) => isLate(server))]
      : [owner];
  for (const server of inTurn) {
    if (server === known) continue;
    last = { server, outcome: await ask(server) };
    if (!last.outcome.ok) continue;
    server.kept.hasAnswered(uri);
    return last;
  }
  return last;
}

/** The server that lists this template. */
export async function ownerOfTemplate(
  servers: readonly HostedServer[],
  uriTemplate: string,
): Promise<HostedServer | undefined> {
  const owner = (): HostedServer | undefined =>
    servers.find((server) => server.kept.holds('resourceTemplates', uriTemplate));
  const known = owner();
  if (known !== undefined) return known;
  await listAgain(servers, 'resourceTemplates');
  return owner();
}

export interface NamedPrompt {
  readonly server: HostedServer;
  /** As its server calls it. */
  readonly own: string;
}

/** By the name that clients know it by. */
export async function promptNamed(servers: readonly HostedServer[], name: string): Promise<NamedPrompt | undefined> {
  // A name depends on all others: those of a server that has not listed them yet may be the same.
  if (servers.every((server) => server.kept.isWhole('prompts'))) {
    const known = keptPrompt(servers, name);
    if (known !== undefined) return known;
  }
  await listAgain(servers, 'prompts');
  return keptPrompt(servers, name);
}

function keptPrompt(servers: readonly HostedServer[], name: string): NamedPrompt | undefined {
  const lists = servers.map((server) => server.kept.keysOf('prompts').map((own) => ({ server, own })));
  const prompts = sharedOut(lists, maxItems);
  const names = toolNames(prompts.map(({ server, own }) => ({ plugin: server.plugin, tool: own })));
  return prompts[names.indexOf(name)];
}

/** Of those whose list is not known, or who would not say that it has changed. */
async function listAgain(servers: readonly HostedServer[], kind: ListKind): Promise<void> {
  await Promise.all(
    servers.map(async (server) => {
      if (server.kept.isWhole(kind) && server.tellsOfLists(kind)) return;
      await server.kept.askOnce(kind, async () => await listedBy(server, kind));
    }),
  );
}
