// What of an HTTP request says that a plain call in a session may be read and answered without the SDK's transport:
// the headers are those that the transport wants, and the body is JSON that nests within bounds.
import { SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/server';
import { nestsDeeper } from '../../protocol/framing.ts';
import type { HttpRequest } from '../../protocol/mcp/messages.ts';

export const sessionHeader = 'mcp-session-id';
const decoder = new TextDecoder();

export const sessionOf = ({ method, headers }: HttpRequest): string | undefined =>
  method === 'POST' ? valueOf(headers, sessionHeader) : undefined;

/** Undefined where the SDK is to look at it. */
export function plainBodyOf({ headers, body }: HttpRequest, nesting: number): unknown {
  const accept = valueOf(headers, 'accept') ?? '';
  const version = valueOf(headers, 'mcp-protocol-version');
  if (
    body === undefined ||
    !(valueOf(headers, 'content-type') ?? '').startsWith('application/json') ||
    !accept.includes('application/json') ||
    !accept.includes('text/event-stream') ||
    (version !== undefined && !SUPPORTED_PROTOCOL_VERSIONS.includes(version))
  )
    return undefined;
  const text = decoder.decode(body);
  if (nestsDeeper(text, nesting)) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const valueOf = (headers: HttpRequest['headers'], wanted: string): string | undefined =>
  headers.find(([name]) => name === wanted)?.[1];
