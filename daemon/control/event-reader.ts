// Reads the calls that carry events, which are nearly all there is to read: `ingress.publish` and `ingress.deliver` as any
// client would write them. The payloads stay the text they are. What it does not know it leaves (undefined) to the parser
// and the schema; what it answers is what these would have made of it, and a property test holds it to that.
import type { RpcId } from '../../protocol/json-rpc.ts';
import { pluginIdForm } from '../../protocol/identifiers.ts';
import { ReadEvent } from '../services/read-event.ts';
import { plainTextEnd, skipNumber, skipSpaces, skipValue } from './json-bytes.ts';
import { KnownTexts } from './known-texts.ts';

/** Parameters that have been checked. */
export class EventParams {
  readonly plugin: string;
  readonly event: ReadEvent | undefined;
  readonly events: readonly ReadEvent[] | undefined;
  readonly wait: boolean;
  readonly timeoutMs: number | undefined;

  constructor(plugin: string, { event, events, wait, timeoutMs }: ParamParts) {
    this.plugin = plugin;
    this.event = event;
    this.events = events;
    this.wait = wait === true;
    this.timeoutMs = timeoutMs;
  }
}

export interface EventCall {
  readonly id: RpcId | undefined;
  readonly method: string;
  readonly params: EventParams;
}

const keyOf = (name: string): Uint8Array => Buffer.from(`"${name}"`);
const keys = {
  jsonrpc: keyOf('jsonrpc'),
  id: keyOf('id'),
  method: keyOf('method'),
  params: keyOf('params'),
  plugin: keyOf('plugin'),
  event: keyOf('event'),
  events: keyOf('events'),
  wait: keyOf('wait'),
  timeoutMs: keyOf('timeoutMs'),
  ingress: keyOf('ingress'),
  kind: keyOf('kind'),
  source: keyOf('source'),
  payload: keyOf('payload'),
  correlationId: keyOf('correlationId'),
} as const;
const version = keyOf('2.0');
const yes = Buffer.from('true');
const no = Buffer.from('false');

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const openObject = 0x7b;
const closeObject = 0x7d;
const openList = 0x5b;
const closeList = 0x5d;

/** Message, parameters and event stand around a payload; a list of events is one more. */
const levelsAround = 4;
/** What goes deeper is rare, and better left to a parser that does not go so deep itself. */
const deepest = 32;
/** No line is kept for having been read. */
const nothing: Buffer = Buffer.alloc(0);
const usualSource = 'client';
const longestCount = 15;
const mostMs = 86_400_000;

interface CallParts {
  versioned: boolean;
  id: RpcId | undefined;
  method: string | undefined;
  params: EventParams | undefined;
}

interface ParamParts {
  plugin: string | undefined;
  event: ReadEvent | undefined;
  events: ReadEvent[] | undefined;
  wait: boolean | undefined;
  timeoutMs: number | undefined;
}

interface EventParts {
  ingress: string | undefined;
  kind: string | undefined;
  source: string | undefined;
  correlationId: string | undefined;
  payloadFrom: number;
  payloadTo: number;
}

export class EventReader {
  readonly #texts = new KnownTexts();
  readonly #payloadDepth: number;
  readonly #mostEvents: number;
  #bytes = nothing;
  /** The place looked at; -1 once the reader has given up. */
  #at = 0;
  #lastPlugin: string | undefined;

  constructor(limits: { readonly nesting: number; readonly publishBatch: number }) {
    this.#payloadDepth = Math.min(deepest, limits.nesting - levelsAround);
    this.#mostEvents = limits.publishBatch;
  }

  /** A newline stands at `end`. */
  read(bytes: Buffer, start: number, end: number): EventCall | undefined {
    this.#bytes = bytes;
    this.#at = start;
    const call = this.#call();
    this.#bytes = nothing;
    return call !== undefined && skipSpaces(bytes, this.#at) === end ? call : undefined;
  }

  #call(): EventCall | undefined {
    const parts: CallParts = { versioned: false, id: undefined, method: undefined, params: undefined };
    if (!this.#opens(openObject)) return undefined;
    do {
      if (!this.#callMember(parts)) return undefined;
    } while (this.#goesOn(closeObject));
    const { versioned, id, method, params } = parts;
    return this.#at !== -1 && versioned && method !== undefined && params !== undefined ? { id, method, params } : undefined;
  }

  /** False: it is not for this reader. No member may come twice. */
  #callMember(parts: CallParts): boolean {
    if (!parts.versioned && this.#key(keys.jsonrpc)) return (parts.versioned = this.#literal(version));
    if (parts.id === undefined && this.#key(keys.id)) return (parts.id = this.#id()) !== undefined;
    if (parts.method === undefined && this.#key(keys.method)) {
      parts.method = this.#text();
      return parts.method === 'ingress.publish' || parts.method === 'ingress.deliver';
    }
    if (parts.params !== undefined || parts.method === undefined || !this.#key(keys.params)) return false;
    parts.params = this.#params(parts.method === 'ingress.publish');
    return parts.params !== undefined;
  }

  #params(publishing: boolean): EventParams | undefined {
    const parts: ParamParts = { plugin: undefined, event: undefined, events: undefined, wait: undefined, timeoutMs: undefined };
    if (!this.#opens(openObject)) return undefined;
    do {
      if (!this.#param(parts, publishing)) return undefined;
    } while (this.#goesOn(closeObject));
    const { plugin, event, events } = parts;
    return plugin === undefined || (event ?? events) === undefined ? undefined : new EventParams(plugin, parts);
  }

  #param(parts: ParamParts, publishing: boolean): boolean {
    if (parts.plugin === undefined && this.#key(keys.plugin)) return (parts.plugin = this.#plugin()) !== undefined;
    if ((parts.event ?? parts.events) === undefined) {
      if (this.#key(keys.event)) return (parts.event = this.#event()) !== undefined;
      if (publishing && this.#key(keys.events)) return (parts.events = this.#events()) !== undefined;
    }
    if (parts.timeoutMs === undefined && this.#key(keys.timeoutMs)) {
      parts.timeoutMs = this.#count();
      return parts.timeoutMs !== undefined && parts.timeoutMs >= 1 && parts.timeoutMs <= mostMs;
    }
    if (!publishing || parts.wait !== undefined || !this.#key(keys.wait)) return false;
    parts.wait = this.#literal(yes);
    return parts.wait || this.#literal(no);
  }

  #events(): ReadEvent[] | undefined {
    const events: ReadEvent[] = [];
    if (!this.#opens(openList)) return undefined;
    do {
      const event = this.#event();
      if (event === undefined || events.length === this.#mostEvents) return undefined;
      events.push(event);
    } while (this.#goesOn(closeList));
    return events;
  }

  #event(): ReadEvent | undefined {
    const parts: EventParts = { ingress: undefined, kind: undefined, source: undefined, correlationId: undefined, payloadFrom: -1, payloadTo: -1 };
    if (!this.#opens(openObject)) return undefined;
    do {
      if (!this.#eventMember(parts)) return undefined;
    } while (this.#goesOn(closeObject));
    const { ingress, kind, source = usualSource, correlationId, payloadFrom, payloadTo } = parts;
    if (this.#at === -1 || ingress === undefined || kind === undefined || payloadFrom === -1) return undefined;
    return new ReadEvent({ ingress, kind, source, correlationId }, this.#bytes.toString('utf8', payloadFrom, payloadTo));
  }

  #eventMember(parts: EventParts): boolean {
    if (parts.ingress === undefined && this.#key(keys.ingress)) return (parts.ingress = this.#text()) !== undefined;
    if (parts.kind === undefined && this.#key(keys.kind)) return (parts.kind = this.#text()) !== undefined;
    if (parts.source === undefined && this.#key(keys.source)) return (parts.source = this.#text()) !== undefined;
    if (parts.correlationId === undefined && this.#key(keys.correlationId)) return (parts.correlationId = this.#ownText()) !== undefined;
    if (parts.payloadFrom !== -1 || !this.#key(keys.payload)) return false;
    parts.payloadFrom = this.#at;
    this.#at = skipValue(this.#bytes, this.#at, this.#payloadDepth);
    parts.payloadTo = this.#at;
    return this.#at !== -1;
  }

  // Steps. Each leaves the place after what it took, or gives up.

  #giveUp(): undefined {
    this.#at = -1;
    return undefined;
  }

  /** An empty one is left to the parser. */
  #opens(bracket: number): boolean {
    if (this.#at === -1 || this.#bytes[this.#at] !== bracket) {
      this.#giveUp();
      return false;
    }
    this.#at = skipSpaces(this.#bytes, this.#at + 1);
    return true;
  }

  /** Over a comma; false at the end, or where the reader gave up. */
  #goesOn(end: number): boolean {
    if (this.#at === -1) return false;
    const bytes = this.#bytes;
    const at = skipSpaces(bytes, this.#at);
    if (bytes[at] === comma) {
      this.#at = skipSpaces(bytes, at + 1);
      return true;
    }
    this.#at = bytes[at] === end ? at + 1 : -1;
    return false;
  }

  /** Over the key and its colon; stays where another key stands. */
  #key(key: Uint8Array): boolean {
    const bytes = this.#bytes;
    const from = this.#at;
    for (let at = 0; at < key.length; at += 1) {
      if (bytes[from + at] !== key[at]) return false;
    }
    const after = skipSpaces(bytes, from + key.length);
    if (bytes[after] !== colon) return false;
    this.#at = skipSpaces(bytes, after + 1);
    return true;
  }

  #literal(text: Uint8Array): boolean {
    for (let at = 0; at < text.length; at += 1) {
      if (this.#bytes[this.#at + at] !== text[at]) return false;
    }
    this.#at += text.length;
    return true;
  }

  #id(): RpcId | undefined {
    return this.#bytes[this.#at] === quote ? this.#ownText() : this.#count();
  }

  #count(): number | undefined {
    const end = skipNumber(this.#bytes, this.#at);
    if (end === -1 || end - this.#at > longestCount) return this.#giveUp();
    let count = 0;
    for (let at = this.#at; at < end; at += 1) {
      const digit = (this.#bytes[at] ?? 0) - 0x30;
      // Below zero, or not whole.
      if (digit < 0) return this.#giveUp();
      count = count * 10 + digit;
    }
    this.#at = end;
    return count;
  }

  #plugin(): string | undefined {
    const plugin = this.#text();
    if (plugin === undefined || plugin === this.#lastPlugin) return plugin;
    if (!pluginIdForm.test(plugin)) return this.#giveUp();
    this.#lastPlugin = plugin;
    return plugin;
  }

  /** One that is likely to come again. */
  #text(): string | undefined {
    const end = this.#textEnd();
    if (end === -1) return undefined;
    const text = this.#texts.of(this.#bytes, this.#at + 1, end);
    this.#at = end + 1;
    return text;
  }

  /** One that is not. */
  #ownText(): string | undefined {
    const end = this.#textEnd();
    if (end === -1) return undefined;
    const text = this.#bytes.toString('latin1', this.#at + 1, end);
    this.#at = end + 1;
    return text;
  }

  #textEnd(): number {
    const end = this.#bytes[this.#at] === quote ? plainTextEnd(this.#bytes, this.#at + 1) : -1;
    if (end === -1) this.#giveUp();
    return end;
  }
}
