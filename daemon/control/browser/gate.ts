// Who is let through to the operations: first whether the request can come from the daemon's own page or a program,
// then whose it is, then whether that one may do more than read.
import type { IncomingMessage } from 'node:http';
import { HostError } from '../../../protocol/errors.ts';
import { Access } from './access.ts';
import type { AllowedHosts } from './allowed-hosts.ts';
import { KeptSecret } from './secret-table.ts';
import type { Sessions } from './sessions.ts';
import type { Tokens } from './tokens.ts';

interface KeptToken {
  readonly secret: KeptSecret;
  readonly access: Access;
}

const bearerForm = /^bearer +(\S+) *$/i;

export const isReading = (method: string | undefined): boolean => method === 'GET' || method === 'HEAD';

export class Gate {
  readonly cookieName: string;
  readonly #places: AllowedHosts;
  readonly #sessions: Sessions;
  readonly #tokens: readonly KeptToken[];
  /** Opens `/mcp` and nothing else. */
  readonly #toolsToken: KeptToken;

  /** Cookies do not tell ports apart, so that the cookie's name has to. */
  constructor(
    places: AllowedHosts,
    port: number,
    tokens: Tokens,
    sessions: Sessions,
    { streams: maxStreams, connections }: { readonly streams: number; readonly connections: number },
  ) {
    this.cookieName = `nagaya_session_${String(port)}`;
    this.#places = places;
    this.#sessions = sessions;
    this.#tokens = [
      { secret: new KeptSecret(tokens.token), access: new Access(false, maxStreams) },
      { secret: new KeptSecret(tokens.readToken), access: new Access(true, maxStreams) },
      { secret: new KeptSecret(tokens.metricsToken), access: new Access(true, maxStreams, 'measure') },
    ];
    // All MCP clients share this token, and each of their calls is answered by a stream.
    this.#toolsToken = { secret: new KeptSecret(tokens.toolsToken), access: new Access(false, connections) };
  }

  get streams(): number {
    return [...this.#tokens, this.#toolsToken].reduce(
      (sum, { access }) => sum + access.streams,
      this.#sessions.streams,
    );
  }

  /** Refuses what a page of another site would have the browser send. */
  refuseForeign(request: IncomingMessage): void {
    if (request.url?.startsWith('/') !== true)
      throw new HostError('invalid_request', "The request's target must be a path.", { expected: '/…' });
    const host = this.#places.hostOf(request);
    if (host === undefined)
      throw new HostError(
        'forbidden',
        'The request is for a host that this is not; add the name to http.names if it should be.',
      );
    const origins = request.headersDistinct['origin'] ?? [];
    if (origins.some((origin) => !this.#places.isOwnOrigin(origin, host))) throw foreign();
    const site = request.headers['sec-fetch-site'];
    if (site === undefined || site === 'same-origin' || isNavigation(request)) return;
    // `none`: the user asked for it, and no page.
    if (site !== 'none' || !isReading(request.method)) throw foreign();
  }

  /** Throws `unauthorized` where nothing valid comes with the request. */
  accessOf(request: IncomingMessage): Access {
    const given = request.headers.authorization;
    const access = given === undefined ? this.#byCookie(request) : this.#byToken(given);
    if (access === undefined)
      throw new HostError(
        'unauthorized',
        'The request carries no valid token and no valid session; run `nagaya open` for a link that signs a browser in.',
      );
    return access;
  }

  /** Any token may, and a browser that the operator has signed in for his own page. */
  mayMeasure(request: IncomingMessage): boolean {
    const given = request.headers.authorization;
    return given === undefined ? this.#byCookie(request)?.scope === 'operate' : this.#byToken(given) !== undefined;
  }

  /** For MCP clients. A session is not enough: what a browser sends by itself must not call tools. */
  toolsAccessOf(request: IncomingMessage): Access {
    const token = bearerForm.exec(request.headers.authorization ?? '')?.[1];
    if (token !== undefined && this.#toolsToken.secret.is(token)) return this.#toolsToken.access;
    throw new HostError(
      'unauthorized',
      'The request carries no token of the scope `tools`; see `nagaya mcp access`, or http.toolsToken in the configuration.',
    );
  }

  refuseWriting(access: Access, request: IncomingMessage): void {
    if (access.readOnly && !isReading(request.method))
      throw new HostError('forbidden', 'This session or token may only read.');
  }

  sessionCookies(request: IncomingMessage): string[] {
    return (request.headers.cookie ?? '')
      .split(';')
      .map((pair) => pair.trim())
      .filter((pair) => pair.startsWith(`${this.cookieName}=`))
      .map((pair) => pair.slice(this.cookieName.length + 1));
  }

  #byToken(given: string): Access | undefined {
    const token = bearerForm.exec(given)?.[1];
    return token === undefined ? undefined : this.#tokens.filter(({ secret }) => secret.is(token))[0]?.access;
  }

  #byCookie(request: IncomingMessage): Access | undefined {
    for (const secret of this.sessionCookies(request)) {
      const access = this.#sessions.find(secret);
      if (access !== undefined) return access;
    }
    return undefined;
  }
}

/** A link to the page may stand anywhere: what is opened is a page of our own, and in no frame. */
const isNavigation = (request: IncomingMessage): boolean =>
  request.method === 'GET' &&
  request.headers['sec-fetch-mode'] === 'navigate' &&
  request.headers['sec-fetch-dest'] === 'document' &&
  request.url?.startsWith('/api/') === false;

const foreign = (): HostError => new HostError('forbidden', 'The request comes from a page of another site.');
