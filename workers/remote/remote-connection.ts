// The HTTP to one remote daemon. Every wait has a deadline and every answer a bound, redirects are not followed, and
// the token is sent to the configured address alone.
import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { HostError } from '../../protocol/errors.ts';
import type { RemoteDaemon } from '../../protocol/remote/messages.ts';
import type { Credentials } from '../edge/credentials.ts';
import { cancelled, late, nonsense, unauthorized, unreachable } from './failures.ts';

export interface Request {
  readonly method: string;
  /** Below the daemon's address, with its query. */
  readonly path: string;
  /** JSON. */
  readonly body?: string | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** How many bytes of answers may be on their way from all daemons together. */
export interface Room {
  take(bytes: number): boolean;
  give(bytes: number): void;
}

export interface ConnectionOptions {
  readonly daemon: RemoteDaemon;
  readonly credentials: Pick<Credentials, 'find'>;
  readonly answerBytes: number;
  readonly room: Room;
}

/** What a header can carry. */
const headerValue = /^[\x21-\x7e]{1,4096}$/;
/** A connection that is not used is closed before the other side does it. */
const idleMs = 4000;
const connections = 32;
const stale: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE']);

export class RemoteConnection {
  readonly #options: ConnectionOptions;
  readonly #base: URL;
  readonly #agent: HttpAgent;
  #token: { readonly value: string } | { readonly why: string };

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#base = new URL(options.daemon.url);
    const agentOptions = { keepAlive: true, maxSockets: connections, maxFreeSockets: 4, timeout: idleMs };
    this.#agent = this.#base.protocol === 'https:' ? new HttpsAgent(agentOptions) : new HttpAgent(agentOptions);
    this.#token = this.#readToken();
  }

  reread(): void {
    this.#token = this.#readToken();
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Text of the other side without what nobody may read: the token, and where the daemon is. */
  readonly withoutSecrets = (text: string): string => {
    const { host, hostname } = this.#base;
    // A short name may be a part of any word.
    return [this.#secret, host, hostname.length > 3 ? hostname : '']
      .filter((secret) => secret !== '')
      .reduce((told, secret) => told.replaceAll(secret, '…'), text);
  };

  /** Throws where the other side says the token back: no answer of a daemon does. */
  refuseToken(text: string): void {
    if (this.#secret !== '' && text.includes(this.#secret))
      throw nonsense(this.#options.daemon.id, 'its answer holds the token');
  }

  /** The whole answer. Rejects with a HostError. */
  async ask(request: Request): Promise<Answer> {
    const { daemon } = this.#options;
    return await this.#send(request, daemon.id, false, async (response) => {
      const text = await this.#body(response);
      return { status: response.statusCode ?? 0, text };
    });
  }

  /** An answer that goes on; the deadline is for its beginning. One that is no stream is read whole. */
  async open(request: Request): Promise<Answer | IncomingMessage> {
    return await this.#send<Answer | IncomingMessage>(request, this.#options.daemon.id, true, async (response) => {
      const isStream =
        response.statusCode === 200 && /^text\/event-stream\b/.test(response.headers['content-type'] ?? '');
      return isStream ? response : { status: response.statusCode ?? 0, text: await this.#body(response) };
    });
  }

  #send<Read>(
    request: Request,
    id: string,
    alone: boolean,
    read: (response: IncomingMessage) => Promise<Read>,
    again = false,
  ): Promise<Read> {
    const { method, path, body, timeoutMs, signal } = request;
    if ('why' in this.#token) return Promise.reject(unauthorized(id, this.#token.why, 'tokenFile'));
    if (signal.aborted) return Promise.reject(cancelled(id));
    const headers: Record<string, string> = {
      accept: alone ? 'text/event-stream' : 'application/json',
      'accept-encoding': 'identity',
      authorization: `Bearer ${this.#token.value}`,
      'user-agent': 'nagaya',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    return new Promise((resolve, reject) => {
      const secure = this.#base.protocol === 'https:';
      const sent: ClientRequest = (secure ? httpsRequest : httpRequest)(
        `${this.#base.origin}${this.#base.pathname.replace(/\/+$/, '')}${path}`,
        { method, headers, agent: alone || again ? false : this.#agent },
      );
      const settled = (): void => {
        clearTimeout(timer);
        // A stream goes on, and ends with its caller.
        if (!alone) signal.removeEventListener('abort', abort);
      };
      const fail = (error: HostError): void => {
        settled();
        reject(error);
        sent.destroy();
      };
      const abort = (): void => fail(cancelled(id));
      const timer = setTimeout(() => fail(late(id, timeoutMs)), timeoutMs);
      signal.addEventListener('abort', abort, { once: true });
      sent.once('response', (response) => {
        // The end of the request tells of it.
        response.on('error', () => undefined);
        const refused = headRefusal(id, response);
        if (refused !== undefined) return fail(refused);
        read(response).then(
          (answer) => {
            settled();
            resolve(answer);
          },
          (thrown: unknown) => fail(thrown instanceof HostError ? thrown : unreachable(id, thrown)),
        );
      });
      sent.on('error', (error: NodeJS.ErrnoException) => {
        // The daemon had closed the connection, and had not said so before it was used again. What changes something
        // is not sent twice: nobody knows whether it was read.
        if (method === 'GET' && sent.reusedSocket && !again && stale.has(error.code ?? '')) {
          settled();
          resolve(this.#send(request, id, alone, read, true));
        } else {
          fail(unreachable(id, error));
        }
      });
      sent.end(body);
    });
  }

  async #body(response: IncomingMessage): Promise<string> {
    const { daemon, answerBytes, room } = this.#options;
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (!room.take(chunk.length)) throw nonsense(daemon.id, 'too many large answers are on their way at once');
        if (bytes > answerBytes)
          throw nonsense(daemon.id, `its answer is larger than ${String(answerBytes)} bytes (limits.answerBytes)`, {
            limit: 'limits.answerBytes',
            maximum: answerBytes,
          });
        chunks.push(chunk);
      }
      return Buffer.concat(chunks).toString('utf8');
    } finally {
      room.give(bytes);
    }
  }

  get #secret(): string {
    return 'value' in this.#token ? this.#token.value : '';
  }

  #readToken(): { readonly value: string } | { readonly why: string } {
    const { credentials, daemon } = this.#options;
    const found = credentials.find({ file: daemon.tokenFile });
    if (!found.ok) return { why: `it has no token: ${found.message}` };
    const value = found.value.trim();
    return headerValue.test(value) ? { value } : { why: 'its token holds characters that a header cannot carry' };
  }
}

/** What needs no look at the body. */
function headRefusal(id: string, { statusCode: status = 0, headers }: IncomingMessage): HostError | undefined {
  if (status >= 300 && status < 400)
    return nonsense(id, `it redirects (status ${String(status)}), and redirects are not followed`, { status });
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity')
    return nonsense(id, 'its answer is encoded although that was not asked for', { status });
  return undefined;
}
