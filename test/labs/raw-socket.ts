// A client made of nothing but bytes: no code of the project, so that what the tests see is what any program sees.
import { once } from 'node:events';
import { type Socket, createConnection } from 'node:net';
import type { TestContext } from 'node:test';
import type { Place } from './http-client.ts';

const patienceMs = 20_000;

/** A JSON-RPC message as it came; tests look into it without ceremony. */
export interface Message {
  readonly jsonrpc: string;
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: {
    readonly code: number;
    readonly message: string;
    readonly data: { readonly code: string; readonly retryable: boolean; readonly details: Record<string, unknown> };
  };
}

export class RawSocket {
  readonly socket: Socket;
  /** All that came and was not taken as a line yet. */
  text = '';
  #ended = false;
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('utf8');
    socket.on('error', () => {});
    socket.on('data', (chunk: string) => {
      this.text += chunk;
      this.#wake();
    });
    for (const event of ['end', 'close']) {
      socket.on(event, () => {
        this.#ended = true;
        this.#wake();
      });
    }
  }

  static async connect(t: TestContext, place: Place): Promise<RawSocket> {
    const socket = typeof place === 'string' ? createConnection(place) : createConnection(place);
    t.after(() => socket.destroy());
    await once(socket, 'connect');
    return new RawSocket(socket);
  }

  send(text: string | Buffer): this {
    this.socket.write(text);
    return this;
  }

  request(id: unknown, method: string, params: unknown = {}): this {
    return this.send(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
  }

  async line(): Promise<string> {
    await this.#until(() => this.text.includes('\n'), 'a line');
    const end = this.text.indexOf('\n');
    const line = this.text.slice(0, end);
    this.text = this.text.slice(end + 1);
    return line;
  }

  async message(): Promise<Message> {
    return JSON.parse(await this.line()) as Message;
  }

  async messages(count: number): Promise<Message[]> {
    const messages: Message[] = [];
    while (messages.length < count) messages.push(await this.message());
    return messages;
  }

  async batch(): Promise<Message[]> {
    return JSON.parse(await this.line()) as Message[];
  }

  /** Everything until the other side has ended. */
  async rest(): Promise<string> {
    await this.#until(() => this.#ended, 'the end');
    return this.text;
  }

  async includes(part: string): Promise<string> {
    await this.#until(() => this.text.includes(part), JSON.stringify(part));
    return this.text;
  }

  async #until(condition: () => boolean, what: string): Promise<void> {
    const deadline = AbortSignal.timeout(patienceMs);
    while (!condition()) {
      if (this.#ended)
        throw new Error(`the connection ended before ${what} came; had ${JSON.stringify(this.text.slice(0, 500))}`);
      await new Promise<void>((resolve, reject) => {
        this.#wake = resolve;
        deadline.addEventListener(
          'abort',
          () => reject(new Error(`${what} did not come; had ${JSON.stringify(this.text.slice(0, 500))}`)),
          { once: true },
        );
      });
    }
  }
}
