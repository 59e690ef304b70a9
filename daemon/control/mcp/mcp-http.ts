// `/mcp`: requests of MCP clients go to the MCP thread as bytes, and its answers come back as they are, as one body or
// as a stream.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { HostError, asHostError } from '../../../protocol/errors.ts';
import type { McpGateway } from '../../mcp/mcp-gateway.ts';
import { sendProblem } from '../http/http-answer.ts';
import { type BodyBound, collectBody, hasBody } from '../http/http-body.ts';
import type { HttpPeer } from '../http/http-caller.ts';
import type { HalfLines } from '../half-lines.ts';

export const mcpPath = '/mcp';
export const mcpMethods = ['GET', 'POST', 'DELETE'];

/** What a transport of MCP reads; nothing else of the request leaves the host. */
const passedHeaders = [
  'accept',
  'content-type',
  'last-event-id',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
];
const isPassed = (name: string): boolean => passedHeaders.includes(name) || name.startsWith('mcp-');

export interface McpHttpBounds {
  readonly body: BodyBound;
  readonly halfLines: HalfLines;
  /** What an answer may leave unread. */
  readonly answerBytes: number;
}

export async function serveMcp(
  gateway: McpGateway,
  bounds: McpHttpBounds,
  { request, response, peer }: { request: IncomingMessage; response: ServerResponse; peer: HttpPeer },
): Promise<void> {
  const { body: bound, halfLines, answerBytes } = bounds;
  if (Number(request.headers['content-length'] ?? 0) > bound.maximum)
    throw new HostError(
      'payload_too_large',
      `The body is larger than ${String(bound.maximum)} bytes; ${bound.limit} sets this bound.`,
      { limit: bound.limit, maximum: bound.maximum },
    );
  if (request.headers.expect !== undefined) response.writeContinue();
  const body = hasBody(request) ? await collectBody(request, { halfLines, ...bound }) : undefined;
  const headers = Object.entries(request.headers).flatMap(([name, value]): [string, string][] =>
    isPassed(name) && typeof value === 'string' ? [[name, value]] : [],
  );
  await new Promise<void>((resolve) => {
    let chunkedBytes = 0;
    const exchange = gateway.openExchange(
      { method: request.method ?? 'POST', headers, body: body === undefined ? undefined : new Uint8Array(body) },
      {
        head: (status, given) => {
          if (response.headersSent || response.destroyed) return;
          if (isStream(given) && !mayStream(peer, response)) return;
          response.writeHead(status, {
            ...Object.fromEntries(given),
            'cache-control': 'no-store',
            'x-content-type-options': 'nosniff',
          });
          if (isStream(given)) response.flushHeaders();
        },
        chunk: (bytes) => {
          if (response.destroyed || response.writableEnded) return;
          chunkedBytes = bytes.byteLength;
          response.write(bytes);
          // A reader that does not read must not make the daemon's memory grow.
          if (response.writableLength > answerBytes + chunkedBytes) response.destroy();
        },
        finished: () => {
          if (response.headersSent) {
            if (!response.writableEnded) response.end();
          } else sendProblem(response, new HostError('internal', 'The MCP thread has ended; try again.'));
          resolve();
        },
      },
    );
    response.once('close', () => {
      exchange.abandoned();
      resolve();
    });
  });
}

const isStream = (headers: readonly (readonly [string, string])[]): boolean =>
  headers.some(([name, value]) => name.toLowerCase() === 'content-type' && value.startsWith('text/event-stream'));

/** There may be no more streams; then the client is told so instead. */
function mayStream(peer: HttpPeer, response: ServerResponse): boolean {
  try {
    peer.beginStream({ end: () => response.end() });
    return true;
  } catch (thrown) {
    sendProblem(response, asHostError(thrown));
    return false;
  }
}
