// node's own HTTP client on a unix socket or a port, for tests of the HTTP side.
import { type IncomingHttpHeaders, request } from 'node:http';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body as JSON; tests look into it without ceremony. */
  readonly json: Record<string, unknown>;
}

export interface HttpAsk {
  readonly body?: unknown;
  /** Sent as it is, instead of `body` as JSON. */
  readonly bytes?: string | Buffer;
  readonly headers?: Record<string, string>;
}

/** A unix socket, or a port of this machine. */
export type Place = string | { readonly host: string; readonly port: number };

export function ask(
  place: Place,
  method: string,
  path: string,
  { body, bytes, headers = {} }: HttpAsk = {},
): Promise<HttpAnswer> {
  const payload = bytes ?? (body === undefined ? undefined : JSON.stringify(body));
  const type = body === undefined ? {} : { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        ...(typeof place === 'string' ? { socketPath: place } : place),
        method,
        path,
        agent: false,
        headers: {
          ...type,
          ...(payload === undefined ? {} : { 'content-length': String(Buffer.byteLength(payload)) }),
          ...headers,
        },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('end', () => {
          let json: Record<string, unknown> = {};
          try {
            json = JSON.parse(text) as Record<string, unknown>;
          } catch {
            // Not every answer is JSON; those that should be are looked into by their tests.
          }
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json });
        });
        response.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.setTimeout(20_000, () => outgoing.destroy(new Error('no answer')));
    outgoing.end(payload);
  });
}
