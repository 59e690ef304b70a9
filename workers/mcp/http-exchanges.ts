// MCP over HTTP, by way of the host: requests of the newer protocol stand each for themselves; those of the older one
// belong to a session, where the client has begun one with `initialize`, or are answered alone.
import { randomUUID } from 'node:crypto';
import {
  type McpHttpHandler,
  type Server,
  WebStandardStreamableHTTPServerTransport,
  createMcpHandler,
  isInitializeRequest,
  isLegacyRequest,
  legacyStatelessFallback,
} from '@modelcontextprotocol/server';
import { isFields } from '../../protocol/fields.ts';
import type { HttpRequest, McpThreadOptions } from '../../protocol/mcp/messages.ts';
import { plainCallOf } from '../../protocol/mcp/plain-calls.ts';
import type { Outbox } from './outbox.ts';
import { type PlainCallParts, beginPlainCall } from './plain-calls.ts';
import { plainBodyOf, sessionHeader, sessionOf } from './plain-http.ts';
import { type Holder, type Subscriptions, resourcesListenedTo } from './subscriptions.ts';

interface Session {
  readonly transport: WebStandardStreamableHTTPServerTransport;
  readonly server: Server;
  /** How to withdraw the plain calls that were not answered yet. */
  readonly withdrawals: Map<unknown, (reason: unknown) => void>;
  usedMs: number;
  /** Exchanges that are open: a session with one is not idle. */
  open: number;
}

export class HttpExchanges {
  readonly #options: McpThreadOptions;
  readonly #post: Outbox['post'];
  readonly #postAtOnce: Outbox['postAtOnce'];
  readonly #makeServer: () => Server;
  readonly #subscriptions: Subscriptions;
  readonly #plain: PlainCallParts;
  /** How many requests of the newer protocol listen to a resource. */
  readonly #listened = new Map<string, number>();
  /** All of them together: each stream takes what it has asked for. */
  readonly #holder: Holder = { resourceUpdated: (uri) => this.#modern.notify.resourceUpdated(uri) };
  readonly #modern: McpHttpHandler;
  readonly #alone: (request: Request, options?: { readonly parsedBody?: unknown }) => Promise<Response>;
  readonly #sessions = new Map<string, Session>();
  readonly #open = new Map<number, AbortController>();

  constructor(
    options: McpThreadOptions,
    { post, postAtOnce }: Pick<Outbox, 'post' | 'postAtOnce'>,
    makeServer: () => Server,
    { subscriptions, plain }: { readonly subscriptions: Subscriptions; readonly plain: PlainCallParts },
  ) {
    this.#options = options;
    this.#plain = plain;
    this.#post = post;
    this.#postAtOnce = postAtOnce;
    this.#makeServer = makeServer;
    this.#subscriptions = subscriptions;
    this.#modern = createMcpHandler(makeServer, { legacy: 'reject', maxRequestBodySize: options.lineBytes });
    this.#alone = legacyStatelessFallback(makeServer, undefined, { maxRequestBodySize: options.lineBytes });
    setInterval(() => this.#endIdle(), options.sessionIdleMs / 4).unref();
  }

  toolsChanged(): void {
    this.#modern.notify.toolsChanged();
    // A session whose client does not listen has nothing to hear it with.
    for (const { server } of this.#sessions.values()) server.sendToolListChanged().catch(() => undefined);
  }

  listChanged(kind: 'resources' | 'prompts'): void {
    if (kind === 'resources') this.#modern.notify.resourcesChanged();
    else this.#modern.notify.promptsChanged();
    for (const { server } of this.#sessions.values())
      (kind === 'resources' ? server.sendResourceListChanged() : server.sendPromptListChanged()).catch(() => undefined); // nobody listens
  }

  async serve(exchange: number, request: HttpRequest): Promise<void> {
    const aborted = new AbortController();
    this.#open.set(exchange, aborted);
    if (this.#servePlain(exchange, request, aborted.signal)) return;
    const listened: string[] = [];
    try {
      const answer = await this.#answer(toRequest(request, aborted.signal), listened);
      await this.#pass(exchange, answer, aborted.signal);
    } catch {
      // What fails here failed for this exchange alone; one that was answered in part is cut short.
      this.#head(exchange, failed());
    } finally {
      this.#open.delete(exchange);
      this.#forget(listened);
      this.#post({ type: 'finished', exchange });
    }
  }

  /** A plain call in a session is answered as JSON, without a stream. False where the SDK is to answer. */
  #servePlain(exchange: number, request: HttpRequest, signal: AbortSignal): boolean {
    const id = sessionOf(request);
    const session = id === undefined ? undefined : this.#sessions.get(id);
    if (session === undefined) return false;
    const message = plainBodyOf(request, this.#options.nesting);
    const cancelled = isFields(message) && message['method'] === 'notifications/cancelled' ? message['params'] : {};
    if (isFields(cancelled)) session.withdrawals.get(cancelled['requestId'])?.(cancelled['reason']);
    const call = plainCallOf(message, this.#plain.offer.plain);
    if (call === undefined || session.withdrawals.has(call.id)) return false;
    session.usedMs = performance.now();
    session.open += 1;
    const withdraw = beginPlainCall(call, this.#plain.calls, (json) => {
      signal.removeEventListener('abort', leave);
      session.withdrawals.delete(call.id);
      session.open -= 1;
      session.usedMs = performance.now();
      this.#open.delete(exchange);
      this.#passPlain(exchange, json);
    });
    const leave = (): void => withdraw(signal.reason);
    session.withdrawals.set(call.id, withdraw);
    signal.addEventListener('abort', leave, { once: true });
    return true;
  }

  /** The request of a call that was withdrawn has no answer. */
  #passPlain(exchange: number, json: string | undefined): void {
    const headers = [['content-type', 'application/json']] as const;
    this.#post({ type: 'head', exchange, status: json === undefined ? 202 : 200, headers });
    if (json !== undefined) this.#post({ type: 'chunk', exchange, bytes: encoder.encode(json) });
    this.#post({ type: 'finished', exchange });
  }

  abandon(exchange: number): void {
    this.#open.get(exchange)?.abort(new Error('the connection was closed'));
  }

  /** `listened` is given the resources whose changes the answer will tell of. */
  async #answer(request: Request, listened: string[]): Promise<Response> {
    const id = request.headers.get(sessionHeader);
    if (id !== null) {
      const session = this.#sessions.get(id);
      if (session === undefined) return unknownSession();
      return await this.#inSession(session, request);
    }
    if (request.method !== 'POST') return noSession();
    const text = await request.clone().text();
    let body: unknown;
    try {
      body = JSON.parse(text);
    } catch {
      // The SDK words the refusal.
      return await this.#alone(request);
    }
    if (!(await isLegacyRequest(request.clone(), body))) {
      listened.push(...new Set(resourcesListenedTo(body)));
      this.#listenTo(listened);
      return await this.#modern.fetch(request, { parsedBody: body });
    }
    const begins = Array.isArray(body) ? body.some(isInitializeRequest) : isInitializeRequest(body);
    return begins ? await this.#begin(request, body) : await this.#alone(request, { parsedBody: body });
  }

  #listenTo(uris: readonly string[]): void {
    for (const uri of uris) {
      this.#listened.set(uri, (this.#listened.get(uri) ?? 0) + 1);
      void this.#subscriptions
        .hold(this.#holder, uri)
        .catch(() => undefined) // no server tells of it
        .then(() => {
          if (!this.#listened.has(uri)) this.#subscriptions.release(this.#holder, uri);
        });
    }
  }

  #forget(uris: readonly string[]): void {
    for (const uri of uris) {
      const left = (this.#listened.get(uri) ?? 1) - 1;
      if (left > 0) this.#listened.set(uri, left);
      else {
        this.#listened.delete(uri);
        this.#subscriptions.release(this.#holder, uri);
      }
    }
  }

  async #begin(request: Request, parsedBody: unknown): Promise<Response> {
    const server = this.#makeServer();
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      maxRequestBodySize: this.#options.lineBytes,
      onsessioninitialized: (id) => {
        this.#makeRoom();
        this.#sessions.set(id, { transport, server, withdrawals: new Map(), usedMs: performance.now(), open: 0 });
      },
      onsessionclosed: (id) => {
        const session = this.#sessions.get(id);
        this.#sessions.delete(id);
        if (session !== undefined) withdrawAll(session);
      },
    });
    await server.connect(transport);
    const response = await transport.handleRequest(request, { parsedBody });
    if (transport.sessionId === undefined || !this.#sessions.has(transport.sessionId)) await server.close();
    return response;
  }

  async #inSession(session: Session, request: Request): Promise<Response> {
    session.usedMs = performance.now();
    session.open += 1;
    const done = (): void => {
      session.open -= 1;
      session.usedMs = performance.now();
    };
    try {
      return watched(await session.transport.handleRequest(request), done);
    } catch (thrown) {
      done();
      throw thrown;
    }
  }

  /** The session that has rested longest goes. */
  #makeRoom(): void {
    while (this.#sessions.size >= this.#options.sessions) {
      const [id, session] =
        [...this.#sessions].sort(([, a], [, b]) => Math.sign(a.open) - Math.sign(b.open) || a.usedMs - b.usedMs)[0] ??
        [];
      if (id === undefined || session === undefined) return;
      this.#end(id, session);
    }
  }

  #endIdle(): void {
    const beforeMs = performance.now() - this.#options.sessionIdleMs;
    for (const [id, session] of this.#sessions)
      if (session.open === 0 && session.usedMs < beforeMs) this.#end(id, session);
  }

  #end(id: string, session: Session): void {
    this.#sessions.delete(id);
    withdrawAll(session);
    session.server.close().catch(() => undefined); // it has no client left that could care
  }

  async #pass(exchange: number, response: Response, signal: AbortSignal): Promise<void> {
    this.#head(exchange, response);
    const reader = bodyOf(response)?.getReader();
    if (reader === undefined) return;
    // The client is gone: nobody is left to be told that the stream could not be cancelled.
    const leave = (): void => void reader.cancel(signal.reason).catch(() => undefined);
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave, { once: true });
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.#postAtOnce({ type: 'chunk', exchange, bytes: value });
    }
  }

  #head(exchange: number, { status, headers }: Response): void {
    this.#post({ type: 'head', exchange, status, headers: [...headers] });
  }
}

const encoder = new TextEncoder();

function withdrawAll({ withdrawals }: Session): void {
  for (const withdraw of [...withdrawals.values()]) withdraw('the session has ended');
}

function toRequest({ method, headers, body }: HttpRequest, signal: AbortSignal): Request {
  return new Request('http://nagaya/mcp', {
    method,
    headers: headers.map(([name, value]): [string, string] => [name, value]),
    signal,
    ...(body === undefined || method === 'GET' || method === 'HEAD' ? {} : { body: new Uint8Array(body) }),
  });
}

/** Node's types leave open what a body is made of. */
const bodyOf = ({ body }: Response): ReadableStream<Uint8Array> | undefined =>
  (body as ReadableStream<Uint8Array> | null) ?? undefined;

/** The same answer, whose end is noticed. */
function watched(response: Response, done: () => void): Response {
  const given = bodyOf(response);
  if (given === undefined) {
    done();
    return response;
  }
  let over = false;
  const once = (): void => {
    if (!over) done();
    over = true;
  };
  const reader = given.getReader();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const read = await reader.read();
      if (read.done) {
        once();
        controller.close();
      } else controller.enqueue(read.value);
    },
    async cancel(reason) {
      once();
      await reader.cancel(reason);
    },
  });
  return new Response(body, { status: response.status, headers: response.headers });
}

function refusal(status: number, code: number, message: string): Response {
  return new Response(JSON.stringify({ jsonrpc: '2.0', error: { code, message }, id: null }), {
    status,
    headers: { 'content-type': 'application/json' },
  });
}

const unknownSession = (): Response =>
  refusal(404, -32001, 'This session has ended or never was; begin another one with initialize.');
const noSession = (): Response =>
  refusal(400, -32000, 'This needs the header Mcp-Session-Id of a session that began with initialize.');
const failed = (): Response => refusal(500, -32603, 'Internal error');
