// A daemon with a plugin that declares a websocket source, and the peer that it connects to.
import { EventEmitter, once } from 'node:events';
import { type IncomingMessage, type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { type WebSocket, WebSocketServer } from 'ws';
import { type WebhookLab, type WebhookLabOptions, webhookLab } from './webhook-lab.ts';

export const credential = 'a-credential-of-the-test';

/** Counts what it handles, and waits where a message says so. */
export const messageService = `
const handled = [];
export const service = {
  start() {},
  async handleIngress(event) {
    const data = event.payload.data;
    if (data?.waitMs) await new Promise((resolve) => setTimeout(resolve, data.waitMs));
    if (data?.padding) delete data.padding;
    handled.push(event);
  },
  status: () => ({ handled: handled.length, payloads: handled.slice(-50).map(({ payload }) => payload), newest: handled.at(-1) ?? null, env: process.env }),
};
`;

export const chatSource = (url: string, more: object = {}) => ({
  name: 'chat',
  type: 'websocket',
  ingress: 'pushes',
  kind: 'push',
  url,
  auth: { header: 'authorization', prefix: 'Bearer ', env: 'CHAT_TOKEN' },
  reconnect: { backoffMs: [10, 50] },
  ...more,
});

export interface Peer {
  readonly url: string;
  readonly server: WebSocketServer;
  readonly http: Server;
  /** Every connection there was, oldest first. */
  readonly connections: WebSocket[];
  readonly requests: IncomingMessage[];
  /** What each connection has sent, as text. */
  readonly received: string[];
  /** Resolves with the connection of this place in the order. */
  connection(at: number): Promise<WebSocket>;
}

export interface PeerOptions {
  /** Answers the handshake with this in place of a connection. */
  refuse?(request: IncomingMessage): number | undefined;
  readonly autoPong?: boolean;
  readonly perMessageDeflate?: boolean;
}

export async function startPeer(t: TestContext, options: PeerOptions = {}): Promise<Peer> {
  const http = createServer();
  const server = new WebSocketServer({
    noServer: true,
    autoPong: options.autoPong ?? true,
    perMessageDeflate: options.perMessageDeflate ?? false,
  });
  const connections: WebSocket[] = [];
  const requests: IncomingMessage[] = [];
  const received: string[] = [];
  const arrivals = new EventEmitter();
  http.on('upgrade', (request: IncomingMessage, socket, head) => {
    requests.push(request);
    const refusal = options.refuse?.(request);
    if (refusal !== undefined) {
      socket.end(`HTTP/1.1 ${String(refusal)} Refused\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    server.handleUpgrade(request, socket, head, (connection) => {
      connection.on('error', () => undefined);
      connection.on('message', (data: Buffer) => received.push(data.toString()));
      connections.push(connection);
      arrivals.emit('connection');
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  t.after(async () => {
    for (const connection of connections) connection.terminate();
    http.close();
    http.closeAllConnections();
    await once(http, 'close');
  });
  return {
    url: `ws://127.0.0.1:${String((http.address() as AddressInfo).port)}/socket`,
    server,
    http,
    connections,
    requests,
    received,
    connection: async (at) => {
      for (const signal = AbortSignal.timeout(30_000); connections[at] === undefined;)
        await once(arrivals, 'connection', { signal });
      const found = connections[at];
      if (found === undefined) throw new Error('no connection');
      return found;
    },
  };
}

export async function websocketLab(
  t: TestContext,
  options: Omit<WebhookLabOptions, 'code'> & { readonly code?: string },
): Promise<WebhookLab> {
  return await webhookLab(t, { code: messageService, ...options, env: { CHAT_TOKEN: credential, ...options.env } });
}

/** What the service says of itself. */
export async function reported(
  lab: WebhookLab,
): Promise<{ handled: number; payloads: Record<string, unknown>[]; newest: Record<string, unknown> | null }> {
  const status = await lab.client.call('service.status', { plugin: 'test.hooks', wait: true });
  // The lab's own service says this.
  return status.reported?.value as Awaited<ReturnType<typeof reported>>;
}
