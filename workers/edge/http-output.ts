// Sends commands over HTTP. The credential is read here and goes to the declared host alone: the path of a command
// stays below the declared URL, redirects are not followed, and nothing that the receiver or the library says is passed
// on but a status and a code of the system.
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

export class HttpOutput {
  readonly #credentials: Credentials;

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
    try {
      const response = await fetch(target.url, {
        method,
        headers,
        body: json,
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
      });
      await discard(response);
      return answerTo(response);
    } catch (error) {
      return { is: 'retry', code: 'output_unreachable', message: failureText(error, timeoutMs) };
    }
  }
}

function answerTo({ status, headers }: Response): CommandAnswer {
  if (status >= 200 && status < 300) return { is: 'sent' };
  const message = `The receiver answered with status ${String(status)}.`;
  if (status < 500 && !passing.has(status))
    return {
      is: 'refused',
      code: 'output_refused',
      message: status >= 300 && status < 400 ? `${message} Redirects are not followed.` : message,
    };
  const afterMs = retryAfterMs(headers.get('retry-after'));
  return { is: 'retry', code: 'output_unreachable', message, ...(afterMs === undefined ? {} : { afterMs }) };
}

/** Seconds, or a date. */
function retryAfterMs(value: string | null): number | undefined {
  if (value === null) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - Date.now());
}

/** A short answer is read, so that its connection can be used again. */
async function discard({ body }: Response): Promise<void> {
  if (body === null) return;
  const reader = body.getReader();
  let bytes = 0;
  for (;;) {
    // Node's types do not say of what the pieces of a body are.
    const piece = (await reader.read()) as { readonly done: boolean; readonly value?: Uint8Array };
    if (piece.done) return;
    bytes += piece.value?.length ?? 0;
    if (bytes <= mostAnswerBytes) continue;
    await reader.cancel();
    return;
  }
}

/** The library's own words may hold what was sent. */
function failureText(error: unknown, timeoutMs: number): string {
  if (error instanceof Error && error.name === 'TimeoutError')
    return `The receiver did not answer within ${String(timeoutMs)} ms.`;
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  const code: unknown = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
  return typeof code === 'string' && /^[A-Z_0-9]{1,40}$/.test(code)
    ? `The receiver cannot be reached (${code}).`
    : 'The receiver cannot be reached.';
}
