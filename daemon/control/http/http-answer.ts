// How an HTTP answer is written: JSON with its length, or an RFC 9457 problem with the registry's status and code.
import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type HostError, asHostError, errorKinds } from '../../../protocol/errors.ts';
import { lossAccount } from '../../files/loss-account.ts';
import type { SentJson } from '../../../protocol/json-rpc.ts';

type Headers = Readonly<Record<string, string>>;

const problemType = 'application/problem+json';
const always: Headers = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

export interface ProblemOptions {
  /** Where the path and not the operation is at fault, HTTP has statuses of its own. */
  readonly status?: number;
  readonly headers?: Headers;
}

export function sendJson(response: ServerResponse, json: SentJson, status = 200, headers: Headers = {}): void {
  // The other side has gone: nobody is there to be answered.
  if (response.destroyed || response.headersSent) return;
  const body = bodyOf(json);
  // What it says is accepted has to be in the account first; over JSON-RPC answers leave later than the account is
  // written.
  lossAccount.flush();
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': body.length,
    ...always,
    ...headers,
  });
  response.end(body);
}

export function sendText(response: ServerResponse, text: string, type: string): void {
  if (response.destroyed || response.headersSent) return;
  const body = Buffer.from(text);
  response.writeHead(200, { 'content-type': type, 'content-length': body.length, ...always });
  response.end(body);
}

function bodyOf(json: SentJson): Buffer {
  if (typeof json === 'string') return Buffer.from(`${json}\n`);
  const { head, bytes, tail } = json;
  return bytes === undefined
    ? Buffer.from(`${head}\n`)
    : Buffer.concat([Buffer.from(head), bytes, Buffer.from(`${tail}\n`)]);
}

export function sendProblem(response: ServerResponse, error: HostError, options: ProblemOptions = {}): void {
  const status = options.status ?? errorKinds[error.code].status;
  sendJson(response, problemText(error, status), status, {
    'content-type': problemType,
    ...retryAfter(error, status),
    ...options.headers,
  });
}

/** For a request that never became one, so that there is no response to write to. */
export function writeProblem(socket: Socket, error: HostError): void {
  const { status } = errorKinds[error.code];
  const body = `${problemText(error, status)}\n`;
  const head = [
    `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ''}`,
    `content-type: ${problemType}`,
    `content-length: ${String(Buffer.byteLength(body))}`,
    'cache-control: no-store',
    'connection: close',
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
}

function problemText(error: HostError, status: number): string {
  try {
    return encodeProblem(error, status);
  } catch (thrown) {
    // Details that cannot be encoded must not keep the error itself from being told.
    return encodeProblem(asHostError(thrown), status);
  }
}

function encodeProblem(error: HostError, status: number): string {
  const { code, message, retryable, details } = error.toWire();
  return JSON.stringify({
    type: `urn:nagaya:error:${code}`,
    title: errorKinds[code].meaning,
    status,
    detail: message,
    code,
    retryable,
    details,
  });
}

function retryAfter(error: HostError, status: number): Headers {
  const waitMs = error.details['retryAfterMs'];
  if (typeof waitMs === 'number') return { 'retry-after': String(Math.max(1, Math.ceil(waitMs / 1000))) };
  return status === 429 ? { 'retry-after': '1' } : {};
}
