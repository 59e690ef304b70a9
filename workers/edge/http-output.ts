// Sends commands over HTTP. The credential is read here and goes to the declared host alone: the path of a command
// stays below the declared URL, redirects are not followed, and nothing that the receiver or the library says is passed
// on but a status and a code of the system.
import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { CommandAnswer, HttpCommand } from '../../protocol/edge/messages.ts';
import { belowUrl } from '../../protocol/edge/below-url.ts';
import type { Credentials } from './credentials.ts';

/** Of an answer; the rest is not read. */
const mostAnswerBytes = 64 * 1024;
/** Statuses beside 5xx after which another attempt may succeed. */
const passing: ReadonlySet<number> = new Set([408, 425, 429]);
/** What a header can carry. */
const headerValue = /^[\t\x20-\x7e]+$/;

const missing = (message: string): CommandAnswer => ({ is: 'retry', code: 'credential_missing', message });

/** A connection that sends nothing is closed before the receivers that are in use do it themselves. */
const idleMs = 4000;
const agentOptions = { keepAlive: true, maxFreeSockets: 16, timeout: idleMs };

interface Attempt {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly json: string;
  readonly timeoutMs: number;
  /** When that is over, by the monotonic clock. */
  readonly untilMs: number;
}

export class HttpOutput {
  readonly #credentials: Credentials;
  readonly #http = new HttpAgent(agentOptions);
  readonly #https = new HttpsAgent(agentOptions);

  constructor(credentials: Credentials) {
    this.#credentials = credentials;
  }

  /** Never rejects. */
  async send({ url, method, auth, timeoutMs, path, json, idempotencyKey }: HttpCommand): Promise<CommandAnswer> {
    const target = belowUrl(url, path);
    if (!target.ok) return { is: 'refused', code: 'invalid_request', message: target.message };
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      'idempotency-key': idempotencyKey,
      'user-agent': 'nagaya',
    };
    if (auth !== undefined) {
      const found = this.#credentials.find(auth.env);
      if (!found.ok) return missing(`The output has no credential: ${found.message}.`);
      if (!headerValue.test(found.value))
        return missing('The credential of the output holds characters that a header cannot carry.');
      headers[auth.header] = `${auth.prefix}${found.value}`;
    }
    const attempt: Attempt = {
      url: new URL(target.url),
      method,
      headers,
      json,
      timeoutMs,
      untilMs: performance.now() + timeoutMs,
    };
    try {
      return await this.#attempt(attempt, false);
    } catch (error) {
      return { is: 'retry', code: 'output_unreachable', message: failureText(error) };
    }
  }

  #attempt(attempt: Attempt, fresh: boolean): Promise<CommandAnswer> {
    const { url, method, headers, json, timeoutMs, untilMs } = attempt;
    const secure = url.protocol === 'https:';
    return new Promise((resolve, reject) => {
      const sent: ClientRequest = (secure ? httpsRequest : httpRequest)(url, {
        method,
        headers,
        agent: fresh ? false : secure ? this.#https : this.#http,
      });
      const late = setTimeout(() => {
        reject(new Late(timeoutMs));
        sent.destroy();
      }, untilMs - performance.now());
      sent.once('response', (response) => discard(response, () => resolve(answerTo(response))));
      sent.once('error', (error: NodeJS.ErrnoException) => {
        // The receiver had closed the connection, and had not said so before it was used again.
        if (sent.reusedSocket && stale.has(error.code ?? '')) resolve(this.#attempt(attempt, true));
        else reject(error);
      });
      // A second error has nothing to say, and must not end the thread.
      sent.on('error', () => undefined);
      sent.once('close', () => {
        clearTimeout(late);
        reject(new Error('the connection ended'));
      });
      sent.end(json);
    });
  }
}

class Late extends Error {
  constructor(timeoutMs: number) {
    super(`The receiver did not answer within ${String(timeoutMs)} ms.`);
  }
}

const stale: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE']);

function answerTo({ statusCode: status = 0, headers }: IncomingMessage): CommandAnswer {
  if (status >= 200 && status < 300) return { is: 'sent' };
  const message = `The receiver answered with status ${String(status)}.`;
  if (status < 500 && !passing.has(status))
    return {
      is: 'refused',
      code: 'output_refused',
      message: status >= 300 && status < 400 ? `${message} Redirects are not followed.` : message,
    };
  const afterMs = retryAfterMs(headers['retry-after']);
  return { is: 'retry', code: 'output_unreachable', message, ...(afterMs === undefined ? {} : { afterMs }) };
}

/** Seconds, or a date. */
function retryAfterMs(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - Date.now());
}

/** A short answer is read, so that its connection can be used again; of a longer one the status is enough. */
function discard(response: IncomingMessage, done: () => void): void {
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= mostAnswerBytes) return;
    done();
    response.destroy();
  });
  response.once('end', done);
  // The end of the request tells of it.
  response.on('error', () => undefined);
}

/** The library's own words may hold what was sent. */
function failureText(error: unknown): string {
  if (error instanceof Late) return error.message;
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[A-Z_0-9]{1,40}$/.test(code)
    ? `The receiver cannot be reached (${code}).`
    : 'The receiver cannot be reached.';
}
