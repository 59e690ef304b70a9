// A client that sends frames in lines, by way of the host: a transport for the SDK, with bounds on what one client may
// have on its way.
import type { JSONRPCMessage, Server, Transport } from '@modelcontextprotocol/server';
import { parseJSONRPCMessage } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { LineCutter, asText, nestsDeeper } from '../../protocol/framing.ts';
import { plainOfferMark } from '../../protocol/mcp/first-line.ts';
import type { FromMcpThread, McpThreadOptions } from '../../protocol/mcp/messages.ts';
import { plainCallOf } from '../../protocol/mcp/plain-calls.ts';
import type { PlainOffer } from '../../protocol/mcp/plain-offer.ts';
import type { Outbox } from './outbox.ts';
import { type PlainCallParts, beginPlainCall } from './plain-calls.ts';
import { resourcesListenedTo } from './subscriptions.ts';

const parseErrorNumber = -32700;
const invalidRequestNumber = -32600;
const busyNumber = -32000;

type Answered = Extract<JSONRPCMessage, { readonly id?: unknown }>;

export interface LineConnectionParts {
  makeServer(): Server;
  /** Is told which resources the client of the newer protocol wants to hear of. */
  listens(uris: readonly string[]): void;
  readonly plain: PlainCallParts;
  /** The peer makes plain calls itself. */
  readonly callsItself: boolean;
}

export class LineConnection implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #id: number;
  readonly #post: (message: FromMcpThread) => void;
  readonly #postAtOnce: (message: FromMcpThread) => void;
  readonly #options: McpThreadOptions;
  readonly #cutter: LineCutter;
  readonly #listens: (uris: readonly string[]) => void;
  readonly #plain: PlainCallParts;
  readonly #callsItself: boolean;
  /** Requests that were not answered yet. */
  readonly #pending = new Set<unknown>();
  /** How to withdraw the plain calls among them. */
  readonly #withdrawals = new Map<unknown, (reason: unknown) => void>();
  #initializeId: unknown;
  /** The client has begun a session of the older protocol. */
  #older = false;
  #ended = false;
  #closed = false;
  #linger: NodeJS.Timeout | undefined;

  constructor(
    id: number,
    options: McpThreadOptions,
    { post, postAtOnce }: Pick<Outbox, 'post' | 'postAtOnce'>,
    { makeServer, listens, plain, callsItself }: LineConnectionParts,
  ) {
    this.#callsItself = callsItself;
    this.#plain = plain;
    this.#id = id;
    this.#post = post;
    this.#postAtOnce = postAtOnce;
    this.#listens = listens;
    this.#options = options;
    this.#cutter = new LineCutter(options.lineBytes, {
      line: asText((text) => this.#receive(text)),
      tooLong: () =>
        this.#refuse(invalidRequestNumber, `A message may have at most ${String(options.lineBytes)} bytes.`),
    });
    serveStdio(makeServer, { transport: this });
  }

  push(bytes: Uint8Array): void {
    if (!this.#closed) this.#cutter.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    this.#post({ type: 'taken', connection: this.#id, bytes: bytes.byteLength });
  }

  /** To a peer that makes plain calls itself. */
  tellPlainOffer(): void {
    if (!this.#callsItself || !this.#older) return;
    const { lingerMs, pendingCalls, nesting } = this.#options;
    const offer: PlainOffer = { lingerMs, pendingCalls, nesting, tools: this.#plain.offer.plainTools() };
    this.#write(`${plainOfferMark}${JSON.stringify(offer)}`);
  }

  /** The client has said all it wants to say, and gets the answers to that. */
  end(): void {
    this.#ended = true;
    // The last line may lack its newline.
    this.#cutter.push(Buffer.from('\n'));
    // Until then messages that wait inside the SDK are not seen here.
    setTimeout(() => this.#closeIfDone(), settleMs);
    this.#linger = setTimeout(() => void this.close(), this.#options.lingerMs);
  }

  /** Its socket is gone. */
  leave(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#linger);
    for (const withdraw of [...this.#withdrawals.values()]) withdraw('the client has gone');
    this.onclose?.();
  }

  // What the SDK calls.

  start(): Promise<void> {
    return Promise.resolve();
  }

  send(message: JSONRPCMessage): Promise<void> {
    if (this.#closed) return Promise.resolve();
    if ('method' in message) this.#postAtOnce(this.#written(JSON.stringify(message)));
    else {
      this.#write(JSON.stringify(message));
      const { id } = message as Answered;
      if ('result' in message && id === this.#initializeId) {
        this.#older = true;
        this.tellPlainOffer();
      }
      this.#pending.delete(id);
      this.#closeIfDone();
    }
    return Promise.resolve();
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.leave();
      this.#post({ type: 'close', connection: this.#id });
    }
    return Promise.resolve();
  }

  #receive(text: string): void {
    if (text.trim() === '') return;
    if (nestsDeeper(text, this.#options.nesting)) {
      this.#refuse(invalidRequestNumber, `A message may nest at most ${String(this.#options.nesting)} levels.`);
      return;
    }
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      this.#refuse(parseErrorNumber, 'The line is not JSON; send one JSON-RPC 2.0 message a line.');
      return;
    }
    if (this.#older && this.#beginPlain(value)) return;
    let message: JSONRPCMessage;
    try {
      message = parseJSONRPCMessage(value);
    } catch {
      this.#refuse(invalidRequestNumber, 'The line is not a JSON-RPC 2.0 message.');
      return;
    }
    this.#take(message);
  }

  #take(message: JSONRPCMessage): void {
    if ('method' in message && 'id' in message) {
      if (this.#pending.size >= this.#options.pendingCalls) {
        const words = `This connection has ${String(this.#options.pendingCalls)} unanswered requests, which is the limit.`;
        this.#refuse(busyNumber, words, message.id);
        return;
      }
      this.#pending.add(message.id);
      if (message.method === 'initialize') this.#initializeId ??= message.id;
    } else if ('method' in message && message.method === 'notifications/cancelled') {
      const { requestId, reason } = (message.params ?? {}) as {
        readonly requestId?: unknown;
        readonly reason?: unknown;
      };
      this.#pending.delete(requestId);
      this.#withdrawals.get(requestId)?.(reason);
    }
    const uris = resourcesListenedTo(message);
    if (uris.length > 0) this.#listens(uris);
    this.onmessage?.(message);
    this.#closeIfDone();
  }

  /** False where the SDK is to read it. */
  #beginPlain(value: unknown): boolean {
    const call = plainCallOf(value, this.#plain.offer.plain);
    if (call === undefined || this.#pending.has(call.id) || this.#pending.size >= this.#options.pendingCalls)
      return false;
    const { id } = call;
    this.#pending.add(id);
    const withdraw = beginPlainCall(call, this.#plain.calls, (json) => {
      this.#withdrawals.delete(id);
      if (json === undefined) return;
      this.#write(json);
      this.#pending.delete(id);
      this.#closeIfDone();
    });
    this.#withdrawals.set(id, withdraw);
    return true;
  }

  #refuse(code: number, message: string, id: string | number | null = null): void {
    this.#write(JSON.stringify({ jsonrpc: '2.0', id, error: { code, message } }));
  }

  #write(json: string): void {
    if (!this.#closed) this.#post(this.#written(json));
  }

  #written(json: string): FromMcpThread {
    return { type: 'write', connection: this.#id, text: `${json}\n` };
  }

  #closeIfDone(): void {
    if (this.#ended && this.#pending.size === 0) void this.close();
  }
}

const settleMs = 50;
