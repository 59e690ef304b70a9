// The JSON object in a request's body, read under a bound: what is larger is refused before it is kept.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { HostError } from '../../../protocol/errors.ts';
import { nestsDeeper } from '../../../protocol/framing.ts';
import type { Limits } from '../../config/schema.ts';
import type { HalfLines } from '../half-lines.ts';

export interface BodyBound {
  readonly maximum: number;
  /** What the bound is called in the configuration. */
  readonly limit: string;
}

export type BodyBounds = BodyBound & Pick<Limits, 'nesting'> & { readonly halfLines: HalfLines };

export function hasBody(request: IncomingMessage): boolean {
  return request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
}

export async function readJsonBody(
  request: IncomingMessage,
  response: ServerResponse,
  bounds: BodyBounds,
): Promise<Record<string, unknown>> {
  if (!hasBody(request)) return {};
  refuseOtherTypes(request);
  if (Number(request.headers['content-length'] ?? 0) > bounds.maximum) throw tooLarge(bounds);
  if (request.headers.expect !== undefined) response.writeContinue();
  return parseBody(await collectBody(request, bounds), bounds.nesting);
}

/** Also a protection: a page of another site can make a browser post texts and forms, but not JSON. */
function refuseOtherTypes(request: IncomingMessage): void {
  const given = request.headers['content-type'];
  if (given?.split(';')[0]?.trim().toLowerCase() !== 'application/json') {
    throw new HostError(
      'invalid_request',
      `The body is ${given === undefined ? 'of no stated type' : JSON.stringify(given)}; send it with "content-type: application/json".`,
      { expected: 'application/json' },
    );
  }
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity')
    throw new HostError('invalid_request', 'The body is compressed; send it as it is.', { expected: 'identity' });
}

export function collectBody(request: IncomingMessage, bounds: Omit<BodyBounds, 'nesting'>): Promise<Buffer> {
  const { halfLines, maximum } = bounds;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const refuse = (reason: HostError): void => {
      // The rest flows by unkept.
      request.off('data', take);
      request.resume();
      end();
      reject(reason);
    };
    const take = (chunk: Buffer): void => {
      if (bytes + chunk.length > maximum) {
        refuse(tooLarge(bounds));
      } else if (!halfLines.take(bytes, chunk.length)) {
        refuse(halfLines.refusal());
      } else {
        bytes += chunk.length;
        chunks.push(chunk);
      }
    };
    const end = (): void => {
      chunks.length = 0;
      halfLines.giveBack(bytes);
      bytes = 0;
    };
    request.on('data', take);
    request.once('end', () => {
      resolve(Buffer.concat(chunks));
      end();
    });
    request.once('close', () => {
      end();
      reject(new HostError('connection_closed', 'The connection ended before the body had come.'));
    });
  });
}

function parseBody(bytes: Buffer, nesting: number): Record<string, unknown> {
  const text = bytes.toString('utf8');
  if (nestsDeeper(text, nesting)) {
    throw new HostError('invalid_request', `The body nests deeper than ${String(nesting)} levels.`, {
      limit: 'limits.nesting',
      maximum: nesting,
    });
  }
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw new HostError(
      'invalid_request',
      `The body is not JSON: ${error instanceof Error ? error.message : 'unknown'}`,
      { expected: 'a JSON object' },
    );
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new HostError('invalid_request', 'The body must be a JSON object.', { expected: 'a JSON object' });
  return body as Record<string, unknown>;
}

const tooLarge = ({ maximum, limit }: BodyBound): HostError =>
  new HostError('payload_too_large', `The body is larger than ${String(maximum)} bytes; ${limit} sets this bound.`, {
    limit,
    maximum,
  });
