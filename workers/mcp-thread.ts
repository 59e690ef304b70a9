// The entry of the host-owned thread that speaks MCP: the frames of clients are parsed here, and the SDK is loaded here
// and nowhere else. It is started when MCP is first used.
import { parentPort, workerData } from 'node:worker_threads';
import type { Server } from '@modelcontextprotocol/server';
import type { McpThreadOptions, ToMcpThread } from '../protocol/mcp/messages.ts';
import { HostCalls } from './mcp/host-calls.ts';
import { HttpExchanges } from './mcp/http-exchanges.ts';
import { HostedServers } from './mcp/hosted/hosted-servers.ts';
import { LineConnection } from './mcp/line-connection.ts';
import { Offer } from './mcp/offer.ts';
import { Outbox } from './mcp/outbox.ts';
import { makeServer } from './mcp/server.ts';
import { type Holder, Subscriptions } from './mcp/subscriptions.ts';

// The host starts this file with them.
const options = workerData as McpThreadOptions;
const outbox = new Outbox((messages) => parentPort?.postMessage(messages));
const { post } = outbox;
const calls = new HostCalls(post);
const offer = new Offer();
const hosted: HostedServers = new HostedServers(options, post, {
  begun(server) {
    subscriptions.resume(server);
    for (const kind of ['resources', 'prompts'] as const) if (server.offers(kind)) listChanged(kind);
  },
  listChanged,
  resourceUpdated: (plugin, uri) => subscriptions.updated(plugin, uri),
});
const subscriptions = new Subscriptions(
  () => hosted.offering('resources'),
  (plugin) => hosted.of(plugin),
);
const connections = new Map<number, ServedClient>();
const newServer = (): Server => makeServer({ options, offer, calls, hosted, subscriptions });
const exchanges = new HttpExchanges(options, outbox, newServer, { subscriptions, plain: { offer, calls } });
/** Lists that have changed and were not told of yet. */
const changed = new Set<'resources' | 'prompts'>();
let offered = false;

interface ServedClient {
  lines: LineConnection | undefined;
  server: Server | undefined;
  readonly holder: Holder;
}

function open({ connection, callsItself }: Extract<ToMcpThread, { readonly type: 'open' }>): void {
  const served: ServedClient = {
    lines: undefined,
    server: undefined,
    holder: { resourceUpdated: (uri) => void served.server?.sendResourceUpdated({ uri }).catch(() => undefined) },
  };
  connections.set(connection, served);
  served.lines = new LineConnection(connection, options, outbox, {
    plain: { offer, calls },
    callsItself,
    makeServer: () => {
      served.server = newServer();
      return served.server;
    },
    // What no server tells of is not in the answer either: the SDK says what the client will hear of.
    listens: (uris) => {
      for (const uri of uris) subscriptions.hold(served.holder, uri).catch(() => undefined);
    },
  });
}

/** Told once for all that come at about the same time. */
function listChanged(kind: 'resources' | 'prompts'): void {
  if (changed.size === 0) setTimeout(tellChanged, gatherMs);
  changed.add(kind);
}

function tellChanged(): void {
  const kinds = [...changed];
  changed.clear();
  for (const kind of kinds) {
    exchanges.listChanged(kind);
    for (const { server } of connections.values())
      if (server?.transport !== undefined)
        (kind === 'resources' ? server.sendResourceListChanged() : server.sendPromptListChanged()).catch(
          () => undefined, // the client has gone
        );
  }
}

function toolsChanged(): void {
  exchanges.toolsChanged();
  for (const { server, lines } of connections.values()) {
    lines?.tellPlainOffer();
    // Who has not said initialize yet asks for the list later anyway.
    if (server?.transport !== undefined) server.sendToolListChanged().catch(() => undefined);
  }
}

function receive(message: ToMcpThread): void {
  switch (message.type) {
    case 'offer':
      offer.replace(message.tools);
      if (offered) toolsChanged();
      offered = true;
      return;
    case 'open':
      open(message);
      return;
    case 'bytes':
      connections.get(message.connection)?.lines?.push(message.bytes);
      return;
    case 'ended':
      connections.get(message.connection)?.lines?.end();
      return;
    case 'gone': {
      const served = connections.get(message.connection);
      connections.delete(message.connection);
      if (served !== undefined) subscriptions.releaseAll(served.holder);
      served?.lines?.leave();
      return;
    }
    case 'request':
      void exchanges.serve(message.exchange, message.request);
      return;
    case 'abandoned':
      exchanges.abandon(message.exchange);
      return;
    case 'answer':
    case 'refusal':
    case 'progress':
      calls.receive(message);
      return;
    default:
      hosted.receive(message);
  }
}

const gatherMs = 50;

parentPort?.on('message', (messages: readonly ToMcpThread[]) => {
  for (const message of messages) receive(message);
});
post({ type: 'ready' });
