// An answer as the text that goes out in one write, in Latin-1: each character is one byte.
import { STATUS_CODES } from 'node:http';
import type { WebhookAnswer } from './problem.ts';

export interface AnswerContext {
  /** The request had the method HEAD. */
  readonly isHead: boolean;
  readonly keepsAlive: boolean;
  readonly idleMs: number;
}

/** Those of most answers are the same object each time. */
const headerTexts = new WeakMap<WebhookAnswer['headers'], string>();

export function answerText(answer: WebhookAnswer, { isHead, keepsAlive, idleMs }: AnswerContext): string {
  const { status, headers } = answer;
  const body = latin1(answer.body);
  const connection = keepsAlive
    ? `connection: keep-alive\r\nkeep-alive: timeout=${String(Math.floor(idleMs / 1000))}`
    : 'connection: close';
  const head = `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ''}\r\n${headerText(headers)}content-length: ${String(body.length)}\r\ndate: ${dateText()}\r\n${connection}\r\n\r\n`;
  return isHead ? head : head + body;
}

/** An answer to what is no request: it needs no document. */
export const bareAnswer = (status: number): string =>
  `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ''}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`;

export const continueText = 'HTTP/1.1 100 Continue\r\n\r\n';

function headerText(headers: WebhookAnswer['headers']): string {
  const known = headerTexts.get(headers);
  if (known !== undefined) return known;
  const text = Object.entries(headers)
    .map(([name, value]) => (name === 'connection' ? '' : `${name}: ${value}\r\n`))
    .join('');
  headerTexts.set(headers, text);
  return text;
}

const ascii = /^[\0-\x7f]*$/;

function latin1(body: string | Uint8Array): string {
  if (typeof body === 'string' && ascii.test(body)) return body;
  const bytes = typeof body === 'string' ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.length);
  return bytes.toString('latin1');
}

let dateSecond = 0;
let date = '';

/** Its text is made once a second. */
function dateText(): string {
  const nowMs = Date.now();
  const second = Math.floor(nowMs / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    date = new Date(nowMs).toUTCString();
  }
  return date;
}
