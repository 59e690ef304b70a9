// JSON-RPC 2.0 as it stands on the wire: requests read with every refusal typed, answers written once.
import { type HostError, errorKinds } from './errors.ts';

export type RpcId = string | number | null;

export interface RpcRequest {
  /** Absent: a notification, which gets no answer. */
  readonly id?: RpcId;
  readonly method: string;
  readonly params: unknown;
}

/** Numbers that JSON-RPC itself fixes for faults that share one code here. */
export const parseErrorNumber = -32700;
export const invalidParamsNumber = -32602;

/** JSON text that is ready to be sent: made inside a cell, passed on unparsed. */
export class EncodedJson {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export const encodeJson = (value: unknown): string => (value instanceof EncodedJson ? value.text : (JSON.stringify(value) ?? 'null'));

export function isRpcId(value: unknown): value is RpcId {
  return value === null || typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value));
}

export function encodeAnswer(id: RpcId, result: unknown): string {
  return `{"jsonrpc":"2.0","id":${typeof id === 'number' ? String(id) : JSON.stringify(id)},"result":${encodeJson(result)}}`;
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
