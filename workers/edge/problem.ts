// What the sender of a webhook is told: one document, accepted or refused. A refusal says the registry's words and
// nothing of what is configured here.
import { type ErrorCode, errorKinds, isRetryable } from '../../protocol/errors.ts';

export interface WebhookAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

const always = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

/** The same object each time: its text is made once. */
const jsonHeaders = { 'content-type': 'application/json; charset=utf-8', ...always };

export const jsonAnswer = (status: number, body: string | Uint8Array): WebhookAnswer => ({
  status,
  headers: jsonHeaders,
  body,
});

export interface ProblemOptions {
  readonly status?: number;
  readonly detail?: string;
  readonly retryAfterMs?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export function problem(code: ErrorCode, options: ProblemOptions = {}): WebhookAnswer {
  const kind = errorKinds[code];
  const { status = kind.status, detail = kind.meaning, retryAfterMs, headers } = options;
  return {
    status,
    headers: {
      'content-type': 'application/problem+json',
      ...always,
      ...(retryAfterMs === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) }),
      ...headers,
    },
    body: JSON.stringify({
      type: `urn:nagaya:error:${code}`,
      title: kind.meaning,
      status,
      detail,
      code,
      retryable: isRetryable(code),
      details: retryAfterMs === undefined ? {} : { retryAfterMs },
    }),
  };
}

/**
 * To an unknown path as to a wrong signature: who cannot prove who sends learns nothing. The connection ends with it,
 * so that who tries many comes back no faster than refused connections are cut.
 */
export const stranger = (): WebhookAnswer =>
  problem('unauthorized', { detail: 'The request does not prove who sends it.', headers: { connection: 'close' } });
