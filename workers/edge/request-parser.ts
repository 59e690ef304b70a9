// Reads requests off the bytes of one connection. The parser is llhttp, which node:http uses too, as the WebAssembly
// that undici ships: what Node.js refuses as ambiguous is refused here by the same rules.

export interface RequestHead {
  readonly isPost: boolean;
  /** The answer has no body. */
  readonly isHead: boolean;
  readonly url: string;
  /** By lower-case names, with the same value as node:http gives for a header that came several times. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly isHttp11: boolean;
  /** A body follows, even if it is empty. */
  readonly hasBody: boolean;
  /** The sender keeps the connection open after the answer. */
  readonly keepsAlive: boolean;
  /** It asks for another protocol, or for a tunnel. */
  readonly upgrades: boolean;
}

export type RequestFault = 'malformed' | 'headersTooLarge';

export interface HeadBounds {
  /** Of the path and of all names and values together, those behind the body included. */
  readonly headerBytes: number;
}

interface Llhttp {
  readonly memory: WebAssembly.Memory;
  _initialize(): void;
  malloc(bytes: number): number;
  llhttp_alloc(type: number): number;
  llhttp_free(parser: number): void;
  llhttp_execute(parser: number, at: number, bytes: number): number;
  llhttp_finish(parser: number): number;
  llhttp_resume(parser: number): void;
  llhttp_get_error_pos(parser: number): number;
  llhttp_get_method(parser: number): number;
  llhttp_get_http_major(parser: number): number;
  llhttp_get_http_minor(parser: number): number;
}

const typeRequest = 1;
const methods = { head: 2, post: 3 } as const;
const results = { ok: 0, paused: 21, stopped: 24 } as const;
/** The system hands over no more at once. */
const windowBytes = 64 * 1024;
/** node:http shows as many to a program, and leaves out the others. */
const mostHeaders = 1000;
/** A piece of a body that is smaller than this part of what came with it is copied. */
const smallShare = 4;
/** What an endless extension of a chunk would be: so much frames a body, and so much more for each of its bytes. */
const framing = { bytes: 16 * 1024, perBodyByte: 16 } as const;

const nothing: Buffer = Buffer.alloc(0);

/** The parser whose bytes are being read: WebAssembly calls back while it reads, and knows no object. */
let reading: RequestParser | undefined;

/** It is one for all connections. */
export interface Parsers {
  readonly llhttp: Llhttp;
  /** Bytes are copied to this place to be read. */
  readonly windowAt: number;
  window: Uint8Array;
}

let loading: Promise<Parsers> | undefined;

/** Loaded with the first port that is listened on. */
export const loadParsers = (): Promise<Parsers> => (loading ??= load());

async function load(): Promise<Parsers> {
  const { default: bytes } = await import('undici/lib/llhttp/llhttp-wasm.js');
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
    env: {
      wasm_on_message_begin: () => 0,
      wasm_on_status: () => 0,
      wasm_on_url: (_parser, at, length) => reading?.readUrl(at, length) ?? 0,
      wasm_on_header_field: (_parser, at, length) => reading?.readName(at, length) ?? 0,
      wasm_on_header_value: (_parser, at, length) => reading?.readValue(at, length) ?? 0,
      wasm_on_headers_complete: (_parser, _status, upgrades, keepsAlive) =>
        reading?.completeHead(upgrades === 1, keepsAlive === 1) ?? 0,
      wasm_on_body: (_parser, at, length) => reading?.readBody(at, length) ?? 0,
      wasm_on_message_complete: () => reading?.complete() ?? 0,
    },
  });
  // What the module exports its types cannot say.
  const llhttp = exports as Llhttp;
  llhttp._initialize();
  const windowAt = llhttp.malloc(windowBytes);
  return { llhttp, windowAt, window: new Uint8Array(llhttp.memory.buffer, windowAt, windowBytes) };
}

export class RequestParser {
  /** Of the request that is being read, as soon as it is complete. */
  head: RequestHead | undefined;
  /** Of its body, what was read and is not taken yet. */
  pieces: Buffer[] = [];
  isComplete = false;
  fault: RequestFault | undefined;
  readonly #parsers: Parsers;
  readonly #bounds: HeadBounds;
  readonly #parser: number;
  #bytes = nothing;
  #from = 0;
  #url = '';
  /** Names and values in turn; a name or a value may come in several pieces. */
  #fields: string[] = [];
  #headBytes = 0;
  #bodyBytes = 0;
  #framingBytes = 0;

  constructor(parsers: Parsers, bounds: HeadBounds) {
    this.#parsers = parsers;
    this.#bounds = bounds;
    this.#parser = parsers.llhttp.llhttp_alloc(typeRequest);
  }

  /** Frees the memory that it has outside of JavaScript; nothing is read with it afterwards. */
  free(): void {
    this.#parsers.llhttp.llhttp_free(this.#parser);
  }

  /** Reads to the end of a request, or as far as there is something; answers how many bytes that was. */
  read(bytes: Buffer): number {
    let from = 0;
    while (from < bytes.length && !this.isComplete && this.fault === undefined) from += this.#readWindow(bytes, from);
    return from;
  }

  /** The sender sends no more; false where the request that it began is not whole. */
  finish(): boolean {
    return this.#parsers.llhttp.llhttp_finish(this.#parser) === results.ok;
  }

  /** Before the next request is read. */
  next(): void {
    this.#parsers.llhttp.llhttp_resume(this.#parser);
    this.head = undefined;
    this.pieces = [];
    this.isComplete = false;
    this.#url = '';
    this.#fields = [];
    this.#headBytes = 0;
    this.#bodyBytes = 0;
    this.#framingBytes = 0;
  }

  #readWindow(bytes: Buffer, from: number): number {
    const parsers = this.#parsers;
    const { llhttp, windowAt } = parsers;
    const end = Math.min(bytes.length, from + windowBytes);
    // A memory that has grown is another buffer.
    if (parsers.window.length === 0) parsers.window = new Uint8Array(llhttp.memory.buffer, windowAt, windowBytes);
    parsers.window.set(from === 0 && end === bytes.length ? bytes : bytes.subarray(from, end));
    this.#bytes = bytes;
    this.#from = from - windowAt;
    const hadHead = this.head !== undefined;
    const bodyBytes = this.#bodyBytes;
    // One of another connection is never read within this call: all that is called back is below.
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- see above
    reading = this;
    const result = llhttp.llhttp_execute(this.#parser, windowAt, end - from);
    reading = undefined;
    // A connection that waits for its next request keeps nothing of the last one.
    this.#bytes = nothing;
    if (result === results.ok || result === results.paused) {
      const read = result === results.ok ? end - from : llhttp.llhttp_get_error_pos(this.#parser) - windowAt;
      if (hadHead) this.#framingBytes += read - (this.#bodyBytes - bodyBytes);
      if (this.#framingBytes > framing.bytes + framing.perBodyByte * this.#bodyBytes) this.fault = 'malformed';
      return read;
    }
    this.fault ??= 'malformed';
    return end - from;
  }

  readUrl(at: number, bytes: number): number {
    this.#url += this.#text(at, bytes);
    return this.#count(bytes);
  }

  readName(at: number, bytes: number): number {
    // Those behind a body are counted, and not kept.
    if (this.head === undefined) {
      const fields = this.#fields;
      if (fields.length % 2 === 0) fields.push(this.#text(at, bytes));
      else fields[fields.length - 1] += this.#text(at, bytes);
    }
    return this.#count(bytes);
  }

  readValue(at: number, bytes: number): number {
    if (this.head === undefined) {
      const fields = this.#fields;
      if (fields.length % 2 === 1) fields.push(this.#text(at, bytes));
      else fields[fields.length - 1] += this.#text(at, bytes);
    }
    return this.#count(bytes);
  }

  completeHead(upgrades: boolean, keepsAlive: boolean): number {
    const parser = this.#parser;
    const { llhttp } = this.#parsers;
    const method = llhttp.llhttp_get_method(parser);
    const headers = headersOf(this.#fields);
    if (headers === undefined) {
      this.fault = 'malformed';
      return results.stopped;
    }
    this.head = {
      isPost: method === methods.post,
      isHead: method === methods.head,
      url: this.#url,
      headers,
      isHttp11: llhttp.llhttp_get_http_major(parser) === 1 && llhttp.llhttp_get_http_minor(parser) === 1,
      hasBody: headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0',
      keepsAlive,
      upgrades,
    };
    this.#fields = [];
    return results.ok;
  }

  readBody(at: number, bytes: number): number {
    const from = at + this.#from;
    const piece = this.#bytes.subarray(from, from + bytes);
    // A small piece of much that came at once would keep all of it.
    this.pieces.push(bytes * smallShare < this.#bytes.length ? Buffer.from(piece) : piece);
    this.#bodyBytes += bytes;
    return results.ok;
  }

  complete(): number {
    this.isComplete = true;
    return results.paused;
  }

  #text(at: number, bytes: number): string {
    const from = at + this.#from;
    return this.#bytes.toString('latin1', from, from + bytes);
  }

  #count(bytes: number): number {
    this.#headBytes += bytes;
    if (this.#headBytes < this.#bounds.headerBytes && this.#fields.length <= mostHeaders * 2) return results.ok;
    this.fault = 'headersTooLarge';
    return results.stopped;
  }
}

/** Of these the first is the one that counts, as node:http has it. */
const singleNames = new Set([
  'age',
  'authorization',
  'content-length',
  'content-type',
  'etag',
  'expires',
  'from',
  'if-modified-since',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'referer',
  'retry-after',
  'server',
  'user-agent',
]);

/** Undefined where two hosts are named: which of them is meant nobody knows. */
function headersOf(fields: readonly string[]): Record<string, string | undefined> | undefined {
  // Names come from outside, and `constructor` is one like any other.
  const headers = Object.create(null) as Record<string, string | undefined>;
  for (let at = 0; at < fields.length; at += 2) {
    const name = (fields[at] ?? '').toLowerCase();
    const value = withoutEndSpace(fields[at + 1] ?? '');
    const before = headers[name];
    if (before === undefined) headers[name] = value;
    else if (name === 'host') return undefined;
    else if (!singleNames.has(name)) headers[name] = `${before}${name === 'cookie' ? '; ' : ', '}${value}`;
  }
  return headers;
}

/** llhttp leaves out the space before a value. */
function withoutEndSpace(value: string): string {
  let end = value.length;
  while (end > 0 && (value.charCodeAt(end - 1) === 0x20 || value.charCodeAt(end - 1) === 0x09)) end -= 1;
  return end === value.length ? value : value.slice(0, end);
}
