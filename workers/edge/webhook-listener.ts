// The port for webhooks: reads requests within bounds and hands each to its route. Until a route has verified it,
// nothing of a request tells its sender whether the path exists.
import { createHmac } from 'node:crypto';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { type AddressInfo, Socket } from 'node:net';
import type { ListenOrder, WebhookListenerBounds } from '../../protocol/edge/messages.ts';
import { type WebhookAnswer, problem, stranger } from './problem.ts';
import { RefusedConnections } from './refused-connections.ts';
import type { WebhookRequest } from './webhook-content.ts';

export interface WebhookRoute {
  handle(request: WebhookRequest): Promise<WebhookAnswer>;
  /** The listener's state changed. */
  show(): void;
}

export interface ListenerEvents {
  listening(host: string, port: number): void;
  unlistenable(reason: string): void;
}

const retryListenMs = 5000;
const busyRetryMs = 1000;
const requestsPerConnection = 10_000;
/** Of all connections, those that are over and are not cut yet. */
const refusedShare = 0.25;

export class WebhookListener {
  state: 'none' | 'opening' | 'open' | 'failed';
  fault = 'The configuration has no section webhooks; set webhooks.port.';
  readonly #events: ListenerEvents;
  readonly #routes = new Map<string, WebhookRoute>();
  #server: Server | undefined;
  #refused = new RefusedConnections(0);
  #order: ListenOrder | undefined;
  #bodiesBytes = 0;
  #retry: NodeJS.Timeout | undefined;

  constructor(configured: boolean, events: ListenerEvents) {
    this.state = configured ? 'opening' : 'none';
    this.#events = events;
  }

  get pending(): number {
    return this.#order?.bounds.pending ?? 1;
  }

  add(key: string, route: WebhookRoute): void {
    this.#routes.set(key, route);
    route.show();
  }

  remove(key: string): void {
    this.#routes.delete(key);
  }

  listen(order: ListenOrder): void {
    this.#order = order;
    this.state = 'opening';
    this.#refused = new RefusedConnections(Math.ceil(order.bounds.connections * refusedShare));
    const server = boundedServer(
      order.bounds,
      this.#refused,
      (request, response) => void this.#serve(request, response),
    );
    this.#server = server;
    server.once('error', (error: NodeJS.ErrnoException) => this.#failed(order, error.code ?? error.message));
    server.once('listening', () => {
      server.removeAllListeners('error');
      // Accepting may fail for a moment, as when descriptors have run out: the next one is accepted again.
      server.on('error', () => undefined);
      this.state = 'open';
      // A server that listens on a port has an address of this kind.
      const { address, port } = server.address() as AddressInfo;
      this.#events.listening(address, port);
      this.#showAll();
    });
    server.listen(order.fd === undefined ? { host: order.host, port: order.port, exclusive: true } : { fd: order.fd });
    this.#showAll();
  }

  close(): void {
    clearTimeout(this.#retry);
    this.#server?.close();
    this.#server?.closeAllConnections();
  }

  #failed(order: ListenOrder, reason: string): void {
    this.state = 'failed';
    this.fault = `The port ${String(order.port)} of ${order.host} cannot be listened on (${reason}); end the program that has it, or set another webhooks.port.`;
    this.#events.unlistenable(reason);
    this.#showAll();
    this.#retry = setTimeout(() => this.listen(order), retryListenMs).unref();
  }

  #showAll(): void {
    for (const route of this.#routes.values()) route.show();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let held = 0;
    const hold = (bytes: number): boolean => {
      held += bytes;
      this.#bodiesBytes += bytes;
      return this.#bodiesBytes <= (this.#order?.bounds.bodiesBytes ?? 0);
    };
    try {
      respond(response, await this.#answer(request, hold), this.#refused);
    } catch {
      // A peer that has gone needs no answer; a fault of this program's own must not end the thread.
      respond(response, problem('internal'), this.#refused);
    } finally {
      this.#bodiesBytes -= held;
    }
  }

  async #answer(request: IncomingMessage, hold: (bytes: number) => boolean): Promise<WebhookAnswer> {
    const { method, url = '/' } = request;
    const bodyBytes = this.#order?.bounds.bodyBytes ?? 0;
    if (method !== 'POST')
      return problem('method_not_found', {
        status: 405,
        detail: 'Webhooks are sent with POST.',
        headers: { allow: 'POST' },
      });
    if (Number(request.headers['content-length'] ?? 0) > bodyBytes) return tooLarge;
    const body = await readBody(request, bodyBytes, hold);
    if (body === 'gone') return stranger();
    if (body === 'large') return tooLarge;
    if (body === 'busy')
      return problem('too_many_requests', { status: 503, retryAfterMs: busyRetryMs, headers: { connection: 'close' } });
    const [path = '', query = ''] = splitOnce(url, '?');
    const route = this.#routes.get(routeKey(path) ?? '');
    if (route === undefined) {
      // As much work as a wrong signature makes.
      createHmac('sha256', path).update(body).digest();
      return stranger();
    }
    return await route.handle({ headers: singleHeaders(request), query, body });
  }
}

const tooLarge = problem('payload_too_large', { headers: { connection: 'close' } });

function boundedServer(
  bounds: WebhookListenerBounds,
  refused: RefusedConnections,
  serve: (request: IncomingMessage, response: ServerResponse) => void,
): Server {
  const { requestMs, idleMs } = bounds;
  const server = createServer(
    {
      maxHeaderSize: bounds.headerBytes,
      headersTimeout: requestMs,
      requestTimeout: requestMs,
      keepAliveTimeout: idleMs,
      connectionsCheckingInterval: Math.max(50, Math.min(1000, requestMs / 4)),
      insecureHTTPParser: false,
      noDelay: true,
    },
    serve,
  );
  server.maxConnections = bounds.connections;
  server.maxRequestsPerSocket = requestsPerConnection;
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!(socket instanceof Socket) || !socket.writable || error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    const status =
      error.code === 'HPE_HEADER_OVERFLOW'
        ? '431 Request Header Fields Too Large'
        : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
          ? '408 Request Timeout'
          : '400 Bad Request';
    socket.write(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
    refused.add(socket);
  });
  // Nothing is upgraded to, and no tunnel is made.
  server.on('upgrade', (_request, socket) => socket.destroy());
  server.on('connect', (_request, socket) => socket.destroy());
  return server;
}

function readBody(
  request: IncomingMessage,
  most: number,
  hold: (bytes: number) => boolean,
): Promise<Buffer | 'gone' | 'large' | 'busy'> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const stop = (why: 'large' | 'busy'): void => {
      request.removeAllListeners('data');
      request.pause();
      chunks.length = 0;
      resolve(why);
    };
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > most) stop('large');
      else if (!hold(chunk.length)) stop('busy');
      else chunks.push(chunk);
    });
    request.once('end', () =>
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)),
    );
    request.once('close', () => resolve('gone'));
    request.once('error', () => resolve('gone'));
  });
}

function respond(
  response: ServerResponse,
  { status, headers, body }: WebhookAnswer,
  refused: RefusedConnections,
): void {
  if (response.destroyed || response.headersSent) return;
  response.writeHead(status, { ...headers, 'content-length': String(Buffer.byteLength(body)) });
  // A text goes out together with the head.
  if (headers['connection'] !== 'close') {
    response.end(body);
    return;
  }
  // The answer is whole, but not ended: to end it would read the rest of the request.
  response.write(body);
  if (response.req.socket instanceof Socket) refused.add(response.req.socket);
}

const splitOnce = (text: string, at: string): [string, string] => {
  const place = text.indexOf(at);
  return place === -1 ? [text, ''] : [text.slice(0, place), text.slice(place + 1)];
};

/** `/hooks/<plugin>/<source>`, and nothing that merely means the same. */
const routeKey = (path: string): string | undefined =>
  /^\/hooks\/([a-z0-9._-]{1,128}\/[A-Za-z0-9._-]{1,64})$/.exec(path)?.[1];

function singleHeaders({ headers }: IncomingMessage): Record<string, string | undefined> {
  // Names come from outside, and `constructor` is one like any other.
  const single = Object.create(null) as Record<string, string | undefined>;
  for (const name in headers) {
    const value = headers[name];
    single[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return single;
}
