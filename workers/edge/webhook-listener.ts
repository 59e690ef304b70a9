// The port for webhooks: reads requests within bounds and hands each to its route. Until a route has verified it,
// nothing of a request tells its sender whether the path exists.
import { createHmac } from 'node:crypto';
import { type AddressInfo, type Server, createServer } from 'node:net';
import type { ListenOrder, WebhookListenerBounds } from '../../protocol/edge/messages.ts';
import { HttpConnection, type HttpParts, tooLarge } from './http-connection.ts';
import { type WebhookAnswer, problem, stranger } from './problem.ts';
import { RefusedConnections } from './refused-connections.ts';
import { type Parsers, type RequestHead, loadParsers } from './request-parser.ts';
import type { WebhookRequest } from './webhook-content.ts';

export interface WebhookRoute {
  handle(request: WebhookRequest): WebhookAnswer | Promise<WebhookAnswer>;
  /** The listener's state changed. */
  show(): void;
}

export interface ListenerEvents {
  listening(host: string, port: number): void;
  unlistenable(reason: string): void;
}

const retryListenMs = 5000;
/** Of all connections, those that are over and are not cut yet. */
const refusedShare = 0.25;

export class WebhookListener {
  state: 'none' | 'opening' | 'open' | 'failed';
  fault = 'The configuration has no section webhooks; set webhooks.port.';
  readonly #events: ListenerEvents;
  readonly #routes = new Map<string, WebhookRoute>();
  #server: Server | undefined;
  readonly #connections = new Set<HttpConnection>();
  #order: ListenOrder | undefined;
  #isClosed = false;
  #checking: NodeJS.Timeout | undefined;
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
    this.#showAll();
    loadParsers().then(
      (parsers) => this.#listenWith(parsers, order),
      () => this.#failed(order, 'undici is not installed'),
    );
  }

  #listenWith(parsers: Parsers, order: ListenOrder): void {
    if (this.#isClosed) return;
    const server = this.#open(parsers, order.bounds);
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
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    clearInterval(this.#checking);
    this.#server?.close();
    for (const connection of this.#connections) connection.destroy();
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

  #open(parsers: Parsers, bounds: WebhookListenerBounds): Server {
    const refused = new RefusedConnections(Math.ceil(bounds.connections * refusedShare));
    let bodiesBytes = 0;
    const parts: HttpParts = {
      parsers,
      bounds,
      refused,
      handler: {
        refuse: ({ isPost, headers }) => {
          if (!isPost) return wrongMethod;
          return Number(headers['content-length'] ?? 0) > bounds.bodyBytes ? tooLarge : undefined;
        },
        handle: (head, body) => this.#answer(head, body),
      },
      hold: (bytes) => (bodiesBytes += bytes) <= bounds.bodiesBytes,
    };
    const connections = this.#connections;
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      connections.add(new HttpConnection(socket, parts, (closed) => connections.delete(closed)));
    });
    server.maxConnections = bounds.connections;
    clearInterval(this.#checking);
    this.#checking = setInterval(
      () => {
        const nowMs = performance.now();
        for (const connection of connections) connection.check(nowMs);
      },
      Math.max(50, Math.min(1000, Math.min(bounds.requestMs, bounds.idleMs) / 4)),
    ).unref();
    return server;
  }

  #answer({ url, headers }: RequestHead, body: Buffer): WebhookAnswer | Promise<WebhookAnswer> {
    const [path, query] = splitOnce(url, '?');
    const route = this.#routes.get(routeKey(path) ?? '');
    if (route !== undefined) return route.handle({ headers, query, body });
    // As much work as a wrong signature makes.
    createHmac('sha256', path).update(body).digest();
    return stranger();
  }
}

const wrongMethod = problem('method_not_found', {
  status: 405,
  detail: 'Webhooks are sent with POST.',
  headers: { allow: 'POST' },
});

const splitOnce = (text: string, at: string): [string, string] => {
  const place = text.indexOf(at);
  return place === -1 ? [text, ''] : [text.slice(0, place), text.slice(place + 1)];
};

/** `/hooks/<plugin>/<source>`, and nothing that merely means the same. */
const routeKey = (path: string): string | undefined =>
  /^\/hooks\/([a-z0-9._-]{1,128}\/[A-Za-z0-9._-]{1,64})$/.exec(path)?.[1];
