// JSON-RPC 2.0 as it stands on the wire: requests read with every refusal typed, answers written once.
import { type HostError, errorKinds } from './errors.ts';

export type RpcId = string | number | null;

/** Numbers that JSON-RPC itself fixes for faults that share one code here. */
export const parseErrorNumber = -32700;
export const invalidParamsNumber = -32602;

/**
 * JSON that is ready to be sent: a text, in the midst of which may stand, as UTF-8, what a cell has made and nobody
 * reads.
 */
export class EncodedJson {
  readonly head: string;
  readonly bytes: Uint8Array | undefined;
  /** What comes after the bytes. */
  readonly tail: string;

  constructor(head: string, json: string | Uint8Array = '', tail = '') {
    const isText = typeof json === 'string';
    this.head = isText ? `${head}${json}${tail}` : head;
    this.bytes = isText ? undefined : json;
    this.tail = isText ? '' : tail;
  }

  /** About how much it is: characters of what is text, and bytes of the rest. */
  get length(): number {
    return this.bytes === undefined ? this.head.length : this.head.length + this.bytes.length + this.tail.length;
  }

  /** For those who have to read it. */
  get text(): string {
    return this.bytes === undefined
      ? this.head
      : `${this.head}${Buffer.from(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length).toString()}${this.tail}`;
  }

  /** As a part of more, which is a text again where all of it is. */
  within(before: string, after: string): SentJson {
    return this.bytes === undefined
      ? `${before}${this.head}${after}`
      : new EncodedJson(before + this.head, this.bytes, this.tail + after);
  }
}

/** Who sends it need not ask which it is: both have a length. */
export type SentJson = string | EncodedJson;

export const encodeJson = (value: unknown): string =>
  value instanceof EncodedJson ? value.text : (JSON.stringify(value) ?? 'null');

export function isRpcId(value: unknown): value is RpcId {
  return value === null || typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value));
}

export function encodeAnswer(id: RpcId, result: unknown): SentJson {
  const before = `{"jsonrpc":"2.0","id":${typeof id === 'number' ? String(id) : JSON.stringify(id)},"result":`;
  return result instanceof EncodedJson ? result.within(before, '}') : `${before}${encodeJson(result)}}`;
}

export function encodeRefusal(id: RpcId, error: HostError, number: number = errorKinds[error.code].rpc): string {
  const { code, message, retryable, details } = error.toWire();
  return JSON.stringify({ jsonrpc: '2.0', id, error: { code: number, message, data: { code, retryable, details } } });
}

export function encodeNotification(method: string, params: unknown): string {
  return `{"jsonrpc":"2.0","method":${JSON.stringify(method)},"params":${encodeJson(params)}}`;
}

/** The method of the notifications that carry a subscription's events. */
export const feedMethod = 'event';

/** The method of the notifications that tell how far a tool's call has come. */
export const progressMethod = 'progress';
