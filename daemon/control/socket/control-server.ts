// The control surface as the daemon holds it: one unix socket, the connections on it, how many there may be, and how
// they end when the daemon does.
import { type Server, type Socket, createServer } from 'node:net';
import { HostError } from '../../../protocol/errors.ts';
import { encodeRefusal } from '../../../protocol/json-rpc.ts';
import { mcpCallsHead, mcpPlainHead } from '../../../protocol/mcp/first-line.ts';
import { plural } from '../../../protocol/plural.ts';
import type { Limits } from '../../config/schema.ts';
import type { Feed } from '../../telemetry/feed.ts';
import type { Handlers } from '../../operations/caller.ts';
import { type Connection, partFrom } from '../connection.ts';
import type { ControlContext } from '../control-context.ts';
import type { ControlLog } from '../control-log.ts';
import { type ControlListener, ControlSocket, type ListenOnControl } from './control-socket.ts';
import { Documents } from '../http/documents.ts';
import type { Language } from './first-byte.ts';
import { HalfRequestWatch } from '../http/half-request-watch.ts';
import { HttpApi } from '../http/http-api.ts';
import { HttpServer } from '../http/http-server.ts';
import type { HalfLines } from '../half-lines.ts';
import type { Reports } from '../http/reports.ts';
import { McpConnection } from '../mcp/mcp-connection.ts';
import { McpOpening } from '../mcp/mcp-opening.ts';
import type { McpGateway } from '../../mcp/mcp-gateway.ts';
import { OpenConnections } from './open-connections.ts';
import { OpeningConnection } from './opening-connection.ts';
import { OperationCalls } from '../operation-calls.ts';
import { unprojected } from '../projection.ts';
import { RpcConnection } from '../rpc/rpc-connection.ts';
import { ConnectionCounters } from '../connection-counters.ts';

export interface ControlServerOptions {
  readonly handlers: Handlers;
  readonly limits: Limits;
  readonly feed: Feed;
  readonly log: ControlLog;
  /** Shared with the port for browsers. */
  readonly halfLines: HalfLines;
  readonly reports: Reports;
  shuttingDown(): boolean;
  /** The daemon's own, for the OpenAPI document. */
  readonly version: string;
  readonly mcp: McpGateway;
}

export interface ControlCounts extends Readonly<ConnectionCounters> {
  readonly connections: number;
  readonly subscriptions: number;
  /** Events that subscribers were too slow for. */
  readonly subscriptionEvents: number;
}

export class ControlServer {
  readonly #context: ControlContext;
  readonly #connections = new OpenConnections();
  readonly #watch: HalfRequestWatch;
  readonly #server: Server;
  readonly #http: HttpServer;
  #socket: ControlListener | undefined;
  #nextId = 1;
  #closing: Promise<void> | undefined;

  constructor(options: ControlServerOptions) {
    const { handlers, limits, feed, log } = options;
    this.#context = {
      calls: new OperationCalls(handlers, () => options.shuttingDown()),
      limits,
      feed,
      log,
      tally: new ConnectionCounters(),
      halfLines: options.halfLines,
      mcp: options.mcp,
    };
    const body = { maximum: limits.lineBytes, limit: 'limits.lineBytes' };
    const api = new HttpApi({
      ...this.#context,
      body,
      reports: options.reports,
      documents: new Documents(options.version),
      allowedAudiences: ['control', 'operator', 'browser'],
      projection: unprojected,
      answerBytes: limits.answerBytes,
    });
    this.#http = new HttpServer(this.#context, api, {
      audience: 'control',
      pending: { maximum: limits.pendingCalls, limit: 'limits.pendingCalls' },
    });
    this.#watch = new HalfRequestWatch(limits.idleHalfLineMs, 'limits.idleHalfLineMs', () =>
      this.#connections.values(),
    );
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /** `prepare` runs once the socket is surely this daemon's and before the first client can come. Throws
   * `already_running` and `socket_unusable`. */
  async listen(on: string | ListenOnControl, prepare: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    this.#socket = await (typeof on === 'string' ? ControlSocket.listenAt(on) : on)(this.#server, prepare);
    // Accepting may fail for a moment, as when descriptors have run out: the next one is accepted again.
    this.#server.on('error', (err) => this.#context.log.warn({ err }, 'a connection could not be accepted'));
    this.#watch.start();
  }

  counts(): ControlCounts {
    const { feed, tally } = this.#context;
    return {
      ...tally,
      connections: this.#connections.size,
      subscriptions: feed.subscriptions,
      subscriptionEvents: feed.dropped,
    };
  }

  /** Answers what is pending and ends every connection; at the deadline without ceremony. */
  close(deadlineMs: number): Promise<void> {
    return (this.#closing ??= this.#close(deadlineMs));
  }

  /** Removes socket and lock at once: for an end that waits for nothing. */
  release(): void {
    this.#socket?.release();
  }

  async #close(deadlineMs: number): Promise<void> {
    this.#socket?.stopAccepting();
    await this.#connections.finish(deadlineMs);
    this.#watch.stop();
    this.#socket?.release();
  }

  #accept(socket: Socket): void {
    // What a peer does to its own end of a connection is told by 'close'.
    socket.on('error', () => {});
    const maximum = this.#context.limits.connections;
    if (this.#closing !== undefined) {
      socket.destroy();
    } else if (this.#connections.size >= maximum) {
      this.#context.tally.connectionsRefused += 1;
      const refusal = new HostError(
        'too_many_requests',
        `The daemon has ${plural(maximum, 'connection')}, which is the limit. Raise limits.connections to allow more.`,
        { limit: 'limits.connections', maximum },
      );
      socket.end(`${encodeRefusal(null, refusal)}\n`, () => socket.destroy());
    } else {
      this.#connections.set(socket, new OpeningConnection(socket, (language) => this.#speak(socket, language)));
    }
  }

  #speak(socket: Socket, language: Language): void {
    const id = `${language}-${String(this.#nextId++)}`;
    if (language === 'unknown') {
      this.#refuse(socket, id);
      return;
    }
    this.#connections.set(socket, this.#connection(socket, id, language));
    socket.resume();
  }

  #connection(socket: Socket, id: string, language: Exclude<Language, 'unknown'>): Connection {
    switch (language) {
      case 'rpc':
        return new RpcConnection(id, socket, this.#context);
      case 'http':
        return this.#http.adopt(id, socket);
      case 'mcp':
        return new McpOpening(socket, (head) => {
          this.#connections.set(socket, this.#mcpConnection(socket, id, head));
          socket.resume();
        });
    }
  }

  #mcpConnection(socket: Socket, id: string, head: string): Connection {
    const { mcp } = this.#context;
    if (head !== mcpCallsHead) return new McpConnection(socket, this.#context, mcp, head === mcpPlainHead);
    const connection = new RpcConnection(id, socket, this.#context);
    socket.once('close', mcp.openCalls(connection));
    return connection;
  }

  #refuse(socket: Socket, connection: string): void {
    this.#context.tally.connectionsCutOff += 1;
    this.#context.log.warn({ connection, reason: 'unknown_language' }, 'cut a connection off');
    const refusal = new HostError(
      'invalid_request',
      'This is neither JSON-RPC nor HTTP: begin with { or [ for JSON-RPC 2.0 in lines, or with an HTTP/1.1 request.',
      { expected: ['JSON-RPC 2.0 in lines', 'HTTP/1.1'] },
    );
    socket.write(`${encodeRefusal(null, refusal)}\n`);
    partFrom(socket);
  }
}
