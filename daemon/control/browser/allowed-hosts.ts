// The names under which browsers may reach the port. A page of another site that has its own name point at this machine
// (DNS rebinding) still sends that name as the host, and is told apart by it.
import type { IncomingMessage } from 'node:http';
import type { HttpConfig } from '../../config/http.ts';
import { inUrl } from './port.ts';

export interface Bound {
  readonly address: string;
  readonly port: number;
}

const loopbackNames = ['localhost', '127.0.0.1', '[::1]'];
const plainPort = 80;

/** An address as it stands in a URL. */

export class AllowedHosts {
  readonly #port: number;
  readonly #own: ReadonlySet<string>;
  readonly #further: ReadonlySet<string>;
  /** Where a link leads. */
  readonly origin: string;

  constructor({ host, names }: Pick<HttpConfig, 'host' | 'names'>, bound: Bound) {
    this.#port = bound.port;
    this.#own = new Set(loopbackNames.flatMap((name) => this.#withPort(name)));
    this.#further = new Set(names.flatMap((name) => (/:\d+$/.test(name) ? [name] : [name, ...this.#withPort(name)])));
    const everywhere = host === '0.0.0.0' || host === '::';
    const reached = everywhere ? (host === '::' ? '::1' : '127.0.0.1') : host;
    this.origin = `http://${inUrl(reached)}${bound.port === plainPort ? '' : `:${String(bound.port)}`}`;
  }

  /** The host a request names, where it is one of ours. */
  hostOf(request: IncomingMessage): string | undefined {
    const given = request.headersDistinct['host'];
    const host = given?.length === 1 ? given[0]?.toLowerCase() : undefined;
    if (host === undefined) return undefined;
    return this.#own.has(host) || this.#further.has(host) || this.#withPort(inUrl(plainAddress(request))).includes(host)
      ? host
      : undefined;
  }

  /** Whether a page of this origin is the daemon's own, as reached under this host. */
  isOwnOrigin(origin: string, host: string): boolean {
    // Behind a further name there may be a proxy that encrypts.
    return origin === `http://${host}` || (this.#further.has(host) && origin === `https://${host}`);
  }

  #withPort(name: string): string[] {
    const whole = `${name}:${String(this.#port)}`;
    return this.#port === plainPort ? [name, whole] : [whole];
  }
}

/** The address of this machine that was called; an address cannot be pointed elsewhere, as a name can. */
const plainAddress = (request: IncomingMessage): string => (request.socket.localAddress ?? '').replace(/^::ffff:/, '');
