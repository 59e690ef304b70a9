// A hosted server that is reached over HTTP: every message is posted, and what comes back, as one body or as a stream,
// are its messages. Redirects are not followed, because the credential is for one address.
import { LineCutter, asText } from '../../../protocol/framing.ts';
import type { ServerOptions } from '../../../protocol/mcp/messages.ts';
import type { ServerWire } from './hosted-server.ts';

export interface RemoteListener {
  message(text: string): void;
  failed(why: string): void;
}

export class RemoteWire implements ServerWire {
  readonly #remote: NonNullable<ServerOptions['remote']>;
  readonly #maxBytes: number;
  readonly #listener: RemoteListener;
  readonly #ended = new AbortController();
  #session: string | undefined;
  #listens = false;
  #initialized = false;

  constructor(remote: NonNullable<ServerOptions['remote']>, maxBytes: number, listener: RemoteListener) {
    this.#remote = remote;
    this.#maxBytes = maxBytes;
    this.#listener = listener;
  }

  send(text: string): void {
    void this.#post(text);
  }

  close(): void {
    this.#ended.abort();
  }

  async #post(text: string): Promise<void> {
    try {
      const response = await fetch(this.#remote.url, {
        method: 'POST',
        headers: { ...this.#headers(), 'content-type': 'application/json' },
        body: text,
        redirect: 'manual',
        signal: this.#ended.signal,
      });
      this.#session ??= response.headers.get('mcp-session-id') ?? undefined;
      if (!response.ok) {
        // A server need not take what it was not asked to answer.
        if (text.includes('"id":'))
          this.#listener.failed(`the server answered with the HTTP status ${String(response.status)}`);
        return;
      }
      await this.#read(response);
      if (text.includes('"notifications/initialized"')) this.#initialized = true;
      if (this.#initialized && !this.#listens) void this.#listen();
    } catch (error) {
      if (!this.#ended.signal.aborted) this.#listener.failed(`the server cannot be reached: ${causeOf(error)}`);
    }
  }

  /** What the server tells by itself comes on a stream of its own, where it has one. */
  async #listen(): Promise<void> {
    this.#listens = true;
    try {
      const response = await fetch(this.#remote.url, {
        headers: { ...this.#headers(), accept: 'text/event-stream' },
        redirect: 'manual',
        signal: this.#ended.signal,
      });
      if (response.ok) await this.#read(response);
    } catch {
      // It goes without it: only changes of its list are not heard of then.
    }
  }

  #headers(): Record<string, string> {
    return {
      ...Object.fromEntries(this.#remote.headers),
      accept: 'application/json, text/event-stream',
      ...(this.#session === undefined ? {} : { 'mcp-session-id': this.#session }),
      ...(this.#initialized ? { 'mcp-protocol-version': '2025-11-25' } : {}),
    };
  }

  async #read(response: Response): Promise<void> {
    const body = response.body as ReadableStream<Uint8Array> | null;
    if (body === null) return;
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
    let whole = '';
    let data = '';
    const cutter = new LineCutter(this.#maxBytes, {
      line: asText((line) => {
        const field = line.endsWith('\r') ? line.slice(0, -1) : line;
        if (field.startsWith('data:')) data += field.slice(5).trimStart();
        if (data.length > this.#maxBytes) throw new Error('a message of the server is too long');
        if (field.startsWith('data:') && looksWhole(data)) {
          this.#listener.message(data);
          data = '';
        }
      }),
      tooLong: () => this.#listener.failed('the server sent a message that is longer than limits.lineBytes'),
    });
    const decoder = new TextDecoder();
    const reader = body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (isStream) cutter.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
      else if (whole.length + value.byteLength > this.#maxBytes)
        throw new Error('the answer of the server is too long');
      else whole += decoder.decode(value, { stream: true });
    }
    if (!isStream && whole.trim() !== '') this.#listener.message(whole);
  }
}

/** Servers write a message as one line of data; one of several lines is whole when it can be read. */
function looksWhole(data: string): boolean {
  try {
    JSON.parse(data);
    return true;
  } catch {
    return false;
  }
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'no reason given';
  const { cause } = error;
  return cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : error.message;
}
