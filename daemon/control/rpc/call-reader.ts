// Reads the calls that come by the hundred thousand, as any client would write them, without building them. What it
// does not know it leaves (undefined) to the parser and the schema; what it answers is what these would have made of
// it, and a property test holds it to that.
import type { RpcId } from '../../../protocol/json-rpc.ts';
import type { Limits } from '../../config/schema.ts';
import { EventParams, EventParamsReader } from './event-params.ts';
import { JsonCursor, keyOf } from './json-cursor.ts';
import { ToolParams, ToolParamsReader } from './tool-params.ts';

/**
 * No schema needs to look at them again. Told apart by their classes: a base class of both would cost every event 40
 * ns.
 */
export type CheckedParams = EventParams | ToolParams;

export const areChecked = (params: unknown): params is CheckedParams =>
  params instanceof EventParams || params instanceof ToolParams;

export interface ReadCall {
  readonly id: RpcId | undefined;
  readonly method: string;
  readonly params: CheckedParams;
}

interface Parts {
  versioned: boolean;
  id: RpcId | undefined;
  method: string | undefined;
  params: CheckedParams | undefined;
}

const keys = { jsonrpc: keyOf('jsonrpc'), id: keyOf('id'), method: keyOf('method'), params: keyOf('params') } as const;
const version = keyOf('2.0');

export class CallReader {
  readonly #cursor: JsonCursor;
  readonly #events: EventParamsReader;
  readonly #tools: ToolParamsReader;

  constructor({ nesting, publishBatch }: Pick<Limits, 'nesting' | 'publishBatch'>) {
    this.#cursor = new JsonCursor(nesting);
    this.#events = new EventParamsReader(this.#cursor, publishBatch);
    this.#tools = new ToolParamsReader(this.#cursor);
  }

  /** A newline stands at `end`. */
  read(bytes: Buffer, start: number, end: number): ReadCall | undefined {
    this.#cursor.begin(bytes, start);
    const call = this.#call();
    return this.#cursor.ended(end) ? call : undefined;
  }

  #call(): ReadCall | undefined {
    const cursor = this.#cursor;
    const parts: Parts = { versioned: false, id: undefined, method: undefined, params: undefined };
    if (!cursor.opensObject()) return undefined;
    do {
      if (!this.#member(parts)) return undefined;
    } while (cursor.nextMember());
    const { versioned, id, method, params } = parts;
    return versioned && method !== undefined && params !== undefined ? { id, method, params } : undefined;
  }

  /** False: it is not for this reader. No member may come twice. */
  #member(parts: Parts): boolean {
    const cursor = this.#cursor;
    if (!parts.versioned && cursor.key(keys.jsonrpc)) return (parts.versioned = cursor.literal(version));
    if (parts.id === undefined && cursor.key(keys.id)) return (parts.id = cursor.id()) !== undefined;
    if (parts.method === undefined && cursor.key(keys.method)) return (parts.method = cursor.text()) !== undefined;
    if (parts.params !== undefined || parts.method === undefined || !cursor.key(keys.params)) return false;
    return (parts.params = this.#params(parts.method)) !== undefined;
  }

  #params(method: string): CheckedParams | undefined {
    switch (method) {
      case 'ingress.publish':
        return this.#events.read(true);
      case 'ingress.deliver':
        return this.#events.read(false);
      case 'tool.call':
        return this.#tools.read();
      default:
        return undefined;
    }
  }
}
