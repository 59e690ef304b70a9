// The entry of the host-owned thread that speaks MCP: the frames of clients are parsed here, and the SDK is loaded here
// and nowhere else. It is started when MCP is first used.
import { parentPort, workerData } from 'node:worker_threads';
import type { Server } from '@modelcontextprotocol/server';
import type { FromMcpThread, McpThreadOptions, ToMcpThread } from '../protocol/mcp/messages.ts';
import { HostCalls } from './mcp/host-calls.ts';
import { HttpExchanges } from './mcp/http-exchanges.ts';
import { HostedServers } from './mcp/hosted/hosted-servers.ts';
import { LineConnection } from './mcp/line-connection.ts';
import { Offer } from './mcp/offer.ts';
import { makeServer } from './mcp/server.ts';

// The host starts this file with them.
const options = workerData as McpThreadOptions;
const post = (message: FromMcpThread): void => parentPort?.postMessage(message);
const calls = new HostCalls(post);
const offer = new Offer();
const hosted = new HostedServers(options, post);
const connections = new Map<number, ServedClient>();
const exchanges = new HttpExchanges(options, post, () => makeServer({ options, offer, calls, hosted }));
let offered = false;

interface ServedClient {
  lines: LineConnection | undefined;
  server: Server | undefined;
}

function open(connection: number): void {
  const served: ServedClient = { lines: undefined, server: undefined };
  connections.set(connection, served);
  served.lines = new LineConnection(connection, options, post, () => {
    served.server = makeServer({ options, offer, calls, hosted });
    return served.server;
  });
}

function toolsChanged(): void {
  exchanges.toolsChanged();
  for (const { server } of connections.values()) {
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
      open(message.connection);
      return;
    case 'bytes':
      connections.get(message.connection)?.lines?.push(message.bytes);
      return;
    case 'ended':
      connections.get(message.connection)?.lines?.end();
      return;
    case 'gone':
      connections.get(message.connection)?.lines?.leave();
      connections.delete(message.connection);
      return;
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

parentPort?.on('message', receive);
post({ type: 'ready' });
