// A client that sends frames in lines, by way of the host: a transport for the SDK, with bounds on what one client may
// have on its way.
import type { JSONRPCMessage, Server, Transport } from '@modelcontextprotocol/server';
import { parseJSONRPCMessage } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { LineCutter, asText, nestsDeeper } from '../../protocol/framing.ts';
import type { FromMcpThread, McpThreadOptions } from '../../protocol/mcp/messages.ts';
import { resourcesListenedTo } from './subscriptions.ts';

const parseErrorNumber = -32700;
const invalidRequestNumber = -32600;
const busyNumber = -32000;

type Answered = Extract<JSONRPCMessage, { readonly id?: unknown }>;

export class LineConnection implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #id: number;
  readonly #post: (message: FromMcpThread) => void;
  readonly #options: McpThreadOptions;
  readonly #cutter: LineCutter;
  readonly #listens: (uris: readonly string[]) => void;
  /** Requests that were not answered yet. */
  readonly #pending = new Set<unknown>();
  #ended = false;
  #closed = false;
  #linger: NodeJS.Timeout | undefined;

  /** `listens` is told which resources the client of the newer protocol wants to hear of. */
  constructor(
    id: number,
    options: McpThreadOptions,
    post: (message: FromMcpThread) => void,
    { makeServer, listens }: { makeServer(): Server; listens(uris: readonly string[]): void },
  ) {
    this.#id = id;
    this.#post = post;
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
    this.onclose?.();
  }

  // What the SDK calls.

  start(): Promise<void> {
    return Promise.resolve();
  }

  send(message: JSONRPCMessage): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#post({ type: 'write', connection: this.#id, text: `${JSON.stringify(message)}\n` });
    if (!('method' in message)) {
      this.#pending.delete((message as Answered).id);
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
        this.#write({ jsonrpc: '2.0', id: message.id, error: { code: busyNumber, message: words } });
        return;
      }
      this.#pending.add(message.id);
    } else if ('method' in message && message.method === 'notifications/cancelled') {
      this.#pending.delete((message.params as { readonly requestId?: unknown } | undefined)?.requestId);
    }
    const uris = resourcesListenedTo(message);
    if (uris.length > 0) this.#listens(uris);
    this.onmessage?.(message);
    this.#closeIfDone();
  }

  #refuse(code: number, message: string): void {
    this.#write({ jsonrpc: '2.0', id: null, error: { code, message } });
  }

  #write(message: object): void {
    if (!this.#closed) this.#post({ type: 'write', connection: this.#id, text: `${JSON.stringify(message)}\n` });
  }

  #closeIfDone(): void {
    if (this.#ended && this.#pending.size === 0) void this.close();
  }
}

const settleMs = 50;
