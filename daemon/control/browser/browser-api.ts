// What stands in front of the operations at the port: the gate, the page's files, signing in and out. What is let
// through goes the way every other request goes.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { HostError, asHostError } from '../../../protocol/errors.ts';
import type { Audience } from '../../../protocol/operation.ts';
import type { ControlLog } from '../control-log.ts';
import { sendJson, sendProblem } from '../http/http-answer.ts';
import type { HttpPeer } from '../http/http-caller.ts';
import { type Reports, isReportPath, sendReport } from '../http/reports.ts';
import type { RequestHandler } from '../http/http-connection.ts';
import type { Subscriptions } from '../subscriptions.ts';
import type { Access, Ending } from './access.ts';
import { browserProjection } from './browser-projection.ts';
import { type Gate, isReading } from './gate.ts';
import { mcpPath } from '../mcp/mcp-http.ts';
import type { Page } from './page.ts';
import { harden } from './security-headers.ts';
import type { Sessions } from './sessions.ts';

export interface BrowserApiOptions {
  readonly gate: Gate;
  readonly sessions: Sessions;
  readonly page: Page;
  readonly operations: RequestHandler;
  readonly reports: Reports;
  readonly requestsPerConnection: number;
  readonly log: ControlLog;
}

export const linkPath = '/open/';
const sessionPath = '/session';

/** A connection as one request sees it: its stream counts against whose it is. */
class AdmittedPeer implements HttpPeer {
  readonly #peer: HttpPeer;
  readonly #access: Access;
  readonly #response: ServerResponse;

  constructor(peer: HttpPeer, access: Access, response: ServerResponse) {
    this.#peer = peer;
    this.#access = access;
    this.#response = response;
  }

  get id(): string {
    return this.#peer.id;
  }

  get audience(): Audience {
    return this.#access.scope === 'operate' ? 'operator' : this.#peer.audience;
  }

  get subscriptions(): Subscriptions {
    return this.#peer.subscriptions;
  }

  get arrivedMs(): number {
    return this.#peer.arrivedMs;
  }

  beginStream(stream: Ending): void {
    this.#response.once('close', this.#access.openStream(stream));
    this.#peer.beginStream(stream);
  }
}

export class BrowserApi implements RequestHandler {
  readonly #options: BrowserApiOptions;
  readonly #requests = new WeakMap<Socket, number>();

  constructor(options: BrowserApiOptions) {
    this.#options = options;
  }

  async handle(request: IncomingMessage, response: ServerResponse, peer: HttpPeer): Promise<void> {
    harden(response);
    this.#countRequest(request, response);
    try {
      await this.#answer(request, response, peer);
    } catch (thrown) {
      const error = asHostError(thrown);
      if (error !== thrown) this.#options.log.error({ err: thrown }, 'a request of a browser failed unexpectedly');
      this.#refuse(response, error);
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse, peer: HttpPeer): Promise<void> {
    const { gate, page, operations } = this.#options;
    gate.refuseForeign(request);
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    if (page.has(path)) {
      if (isReading(request.method)) page.send(path, response);
      else refuseMethod(response, request, 'GET, HEAD');
    } else if (path.startsWith(linkPath)) {
      if (request.method === 'GET') this.#signIn(request, response, path.slice(linkPath.length));
      else refuseMethod(response, request, 'GET');
    } else if (isReportPath(path)) {
      this.#report(path, request, response);
    } else if (path === sessionPath) {
      this.#session(request, response);
    } else {
      if (path === mcpPath) {
        const peerOfTools = new AdmittedPeer(peer, gate.toolsAccessOf(request), response);
        await operations.handle(request, response, peerOfTools);
        return;
      }
      const access = gate.accessOf(request);
      if (access.scope === 'measure') throw new HostError('forbidden', 'This token allows only to read the metrics.');
      gate.refuseWriting(access, request);
      await operations.handle(request, response, new AdmittedPeer(peer, access, response));
    }
  }

  /** Probes ask without credentials whether the daemon is well; what names plugins is for those who have some. */
  #report(path: string, request: IncomingMessage, response: ServerResponse): void {
    const { gate, reports } = this.#options;
    const may = gate.mayMeasure(request);
    if (!isReading(request.method)) refuseMethod(response, request, 'GET, HEAD');
    else if (path !== '/metrics' || may) sendReport(path, reports, response, may);
    else
      throw new HostError(
        'unauthorized',
        'Metrics need one of the tokens of the port; http.metricsToken of the configuration sets one that allows nothing else.',
      );
  }

  #signIn(request: IncomingMessage, response: ServerResponse, link: string): void {
    const { gate, sessions } = this.#options;
    const signedIn = sessions.signIn(link);
    const cookies = gate.sessionCookies(request);
    if (signedIn !== undefined) {
      for (const secret of cookies) sessions.signOut(secret);
      response.setHeader(
        'set-cookie',
        `${gate.cookieName}=${signedIn.secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${String(Math.floor(signedIn.lifeMs / 1000))}`,
      );
    } else if (!cookies.some((secret) => sessions.find(secret) !== undefined)) {
      // Whoever comes back to the link by which he signed in is led on; nobody else is.
      throw new HostError(
        'unauthorized',
        'This link was used already, is too old or never was; run `nagaya open` for a new one.',
      );
    }
    const operates =
      signedIn?.scope === 'operate' ||
      (signedIn === undefined && cookies.some((secret) => sessions.find(secret)?.scope === 'operate'));
    response.writeHead(303, { location: operates ? '/console' : '/', 'content-length': 0 });
    response.end();
  }

  #session(request: IncomingMessage, response: ServerResponse): void {
    const { gate, sessions } = this.#options;
    if (request.method === 'DELETE') {
      for (const secret of gate.sessionCookies(request)) sessions.signOut(secret);
      response.setHeader('set-cookie', `${gate.cookieName}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0`);
      sendJson(response, JSON.stringify({ signedIn: false }));
    } else if (isReading(request.method)) {
      const { readOnly, scope } = gate.accessOf(request);
      sendJson(response, JSON.stringify({ signedIn: true, readOnly, scope }));
    } else {
      refuseMethod(response, request, 'GET, HEAD, DELETE');
    }
  }

  #countRequest(request: IncomingMessage, response: ServerResponse): void {
    const count = (this.#requests.get(request.socket) ?? 0) + 1;
    this.#requests.set(request.socket, count);
    if (count >= this.#options.requestsPerConnection) response.setHeader('connection', 'close');
  }

  #refuse(response: ServerResponse, error: HostError): void {
    if (response.headersSent) {
      response.destroy();
      return;
    }
    // Whoever is not let in does not get to keep a connection either.
    response.setHeader('connection', 'close');
    if (error.code === 'unauthorized') response.setHeader('www-authenticate', 'Bearer realm="nagaya"');
    sendProblem(response, browserProjection.error(error));
  }
}

function refuseMethod(response: ServerResponse, request: IncomingMessage, allow: string): void {
  const error = new HostError('method_not_found', `This path does not take ${request.method ?? 'that method'}.`, {
    allow: allow.split(', '),
  });
  sendProblem(response, browserProjection.error(error), { status: 405, headers: { allow } });
}
