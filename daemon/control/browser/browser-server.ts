// The port for browsers, where the configuration opens one: accepts connections within its own bounds and hands them to
// the same HTTP that the unix socket speaks, behind a gate.
import { once } from 'node:events';
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import { HostError } from '../../../protocol/errors.ts';
import type { OperationResult } from '../../../protocol/operations.ts';
import { plural } from '../../../protocol/plural.ts';
import type { Clock } from '../../time/clock.ts';
import type { HttpConfig } from '../../config/http.ts';
import { isLoopback } from '../../config/listener.ts';
import type { McpGateway } from '../../mcp/mcp-gateway.ts';
import type { Limits } from '../../config/schema.ts';
import type { Feed } from '../../telemetry/feed.ts';
import type { Handlers } from '../../operations/caller.ts';
import { partFrom } from '../connection.ts';
import type { ControlContext } from '../control-context.ts';
import type { ControlLog } from '../control-log.ts';
import { Documents } from '../http/documents.ts';
import { HalfRequestWatch } from '../http/half-request-watch.ts';
import { writeProblem } from '../http/http-answer.ts';
import { HttpApi } from '../http/http-api.ts';
import { HttpServer } from '../http/http-server.ts';
import { OpenConnections } from '../socket/open-connections.ts';
import type { HalfLines } from '../half-lines.ts';
import type { Reports } from '../http/reports.ts';
import { OperationCalls } from '../operation-calls.ts';
import { ConnectionCounters } from '../connection-counters.ts';
import { BrowserApi, linkPath } from './browser-api.ts';
import { browserProjection } from './browser-projection.ts';
import { operatorProjection } from './operator-projection.ts';
import { Gate } from './gate.ts';
import { mcpPath } from '../mcp/mcp-http.ts';
import { IdleWatch } from './idle-watch.ts';
import { KeptSessions } from './kept-sessions.ts';
import { Page } from './page.ts';
import { AllowedHosts } from './allowed-hosts.ts';
import { inUrl, portUnusable } from './port.ts';
import { Sessions } from './sessions.ts';
import { loadTokens } from './tokens.ts';

export interface BrowserServerOptions {
  readonly config: HttpConfig;
  readonly handlers: Handlers;
  readonly limits: Limits;
  readonly feed: Feed;
  readonly log: ControlLog & { info(fields: object, message: string): void };
  readonly halfLines: HalfLines;
  readonly reports: Reports;
  readonly clock: Clock;
  readonly stateFolder: string;
  readonly version: string;
  readonly mcp: McpGateway;
  shuttingDown(): boolean;
  /** Begins to listen on the configured address in place of the server itself: for a port that somebody else owns. */
  listenOn?(server: Server, host: string, port: number): Promise<void>;
}

type BrowserStatus = NonNullable<OperationResult<'daemon.status'>['browser']>;

/** What exists once the port is known. */
interface Opened {
  readonly address: string;
  readonly places: AllowedHosts;
  readonly gate: Gate;
  readonly http: HttpServer;
  readonly toolsToken: string;
}

export class BrowserServer {
  readonly #options: BrowserServerOptions;
  readonly #context: ControlContext;
  readonly #sessions: Sessions;
  readonly #connections = new OpenConnections();
  readonly #halfRequests: HalfRequestWatch;
  readonly #idle: IdleWatch;
  readonly #server: Server;
  #opened: Opened | undefined;
  #nextId = 1;
  /** Told that there are too many, and not gone yet. */
  #parting = 0;
  #closing: Promise<void> | undefined;

  constructor(options: BrowserServerOptions) {
    const { config, handlers, limits, feed, log, clock } = options;
    this.#options = options;
    this.#context = {
      calls: new OperationCalls(handlers, () => options.shuttingDown()),
      limits,
      feed,
      log,
      tally: new ConnectionCounters(),
      halfLines: options.halfLines,
      mcp: options.mcp,
    };
    this.#sessions = new Sessions(config.limits, clock, new KeptSessions(options.stateFolder, log));
    this.#halfRequests = new HalfRequestWatch(config.limits.requestMs, 'http.limits.requestMs', () =>
      this.#connections.values(),
    );
    this.#idle = new IdleWatch(config.limits.idleMs, () => this.#connections.sockets());
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
  }

  /** Throws `port_unusable`. */
  async listen(): Promise<void> {
    const { config, stateFolder, log, limits } = this.#options;
    const [page, tokens] = await Promise.all([Page.load(), loadTokens(config, stateFolder, log)]);
    const bound = await this.#bind();
    const places = new AllowedHosts(config, bound);
    const gate = new Gate(places, bound.port, tokens, this.#sessions, config.limits);
    const { requestsPerConnection, headerBytes, bodyBytes, idleMs, pendingRequests } = config.limits;
    const operations = new HttpApi({
      ...this.#context,
      body: { maximum: bodyBytes, limit: 'http.limits.bodyBytes' },
      reports: this.#options.reports,
      documents: new Documents(this.#options.version),
      allowedAudiences: ['browser', 'operator'],
      projection: browserProjection,
      operatorProjection,
      answerBytes: limits.answerBytes,
    });
    const api = new BrowserApi({
      gate,
      sessions: this.#sessions,
      page,
      operations,
      reports: this.#options.reports,
      requestsPerConnection,
      log,
    });
    const http = new HttpServer(this.#context, api, {
      audience: 'browser',
      pending: { maximum: pendingRequests, limit: 'http.limits.pendingRequests' },
      headerBytes,
      keepAliveMs: idleMs,
    });
    const address = `${inUrl(bound.address)}:${String(bound.port)}`;
    this.#opened = { address, places, gate, http, toolsToken: tokens.toolsToken };
    this.#halfRequests.start();
    this.#idle.start();
    log.info({ address }, 'listening for browsers');
    if (!isLoopback(config.host))
      log.warn({ address }, 'the port for browsers can be reached from other machines, and nothing is encrypted');
  }

  link(readOnly: boolean, scope: 'browse' | 'operate' = 'browse'): OperationResult<'browser.link'> {
    const { clock, config } = this.#options;
    const opened = this.#open();
    if (scope === 'operate' && !isLoopback(config.host))
      throw new HostError(
        'unsupported_operation',
        'The port for browsers can be reached from other machines, so that nobody operates the daemon over it: set http.host to a loopback address.',
        { instead: 'http.host 127.0.0.1' },
      );
    const expiresAt = new Date(clock.wallMs() + config.limits.linkMs).toISOString();
    const url = `${opened.places.origin}${linkPath}${this.#sessions.newLink(readOnly, scope)}`;
    return { url, expiresAt, readOnly, scope };
  }

  /** How MCP clients get in; undefined before the port is open. */
  mcpAccess(): OperationResult<'mcp.access'> | undefined {
    return this.#opened === undefined
      ? undefined
      : { url: `http://${this.#opened.address}${mcpPath}`, token: this.#opened.toolsToken };
  }

  status(): BrowserStatus | null {
    if (this.#opened === undefined) return null;
    const { connectionsRefused, connectionsCutOff } = this.#context.tally;
    return {
      address: this.#opened.address,
      connections: this.#connections.size,
      streams: this.#opened.gate.streams,
      sessions: this.#sessions.count,
      links: this.#sessions.links,
      dropped: { connectionsRefused, connectionsCutOff },
      limits: { ...this.#options.config.limits },
    };
  }

  /** Answers what is pending and ends every connection; at the deadline without ceremony. */
  close(deadlineMs: number): Promise<void> {
    return (this.#closing ??= this.#close(deadlineMs));
  }

  async #close(deadlineMs: number): Promise<void> {
    this.#server.close();
    this.#sessions.close();
    await this.#connections.finish(deadlineMs);
    this.#halfRequests.stop();
    this.#idle.stop();
  }

  #open(): Opened {
    if (this.#opened === undefined)
      throw new HostError('unsupported_operation', 'The port for browsers is not open.', {
        instead: 'the unix socket',
      });
    return this.#opened;
  }

  async #bind(): Promise<AddressInfo> {
    const { host, port } = this.#options.config;
    try {
      if (this.#options.listenOn === undefined)
        await once(this.#server.listen({ host, port, exclusive: true }), 'listening');
      else await this.#options.listenOn(this.#server, host, port);
    } catch (error) {
      if (error instanceof HostError) throw error;
      throw portUnusable(host, port, (error as NodeJS.ErrnoException).code ?? 'unknown');
    }
    // Accepting may fail for a moment, as when descriptors have run out: the next one is accepted again.
    this.#server.on('error', (err) => this.#context.log.warn({ err }, 'a connection could not be accepted'));
    // A server that listens on a port has an address of this kind.
    return this.#server.address() as AddressInfo;
  }

  #accept(socket: Socket): void {
    // What a peer does to its own end of a connection is told by 'close'.
    socket.on('error', () => {});
    const opened = this.#opened;
    if (opened === undefined || this.#closing !== undefined) {
      socket.destroy();
    } else if (this.#connections.size >= this.#options.config.limits.connections) {
      this.#refuse(socket);
    } else {
      this.#connections.set(socket, opened.http.adopt(`browser-${String(this.#nextId++)}`, socket));
    }
  }

  #refuse(socket: Socket): void {
    const maximum = this.#options.config.limits.connections;
    this.#context.tally.connectionsRefused += 1;
    if (this.#parting >= maximum) {
      socket.destroy();
      return;
    }
    this.#parting += 1;
    socket.once('close', () => (this.#parting -= 1));
    writeProblem(
      socket,
      new HostError(
        'too_many_requests',
        `${plural(maximum, 'connection is open', 'connections are open')}, which is the limit. Raise http.limits.connections to allow more.`,
        { limit: 'http.limits.connections', maximum },
      ),
    );
    partFrom(socket);
  }
}
