// A hosted server that is reached over HTTP: every message is posted, and what comes back, as one body or as a stream,
// are its messages. Redirects are not followed, because the credential is for one address.
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerOptions } from '../../../protocol/mcp/messages.ts';
import { EventStream } from './event-stream.ts';
import type { ServerWire } from './server-wire.ts';

export interface RemoteListener {
  message(text: string): void;
  /** Of this request no answer comes any more. */
  unanswered(id: number, why: string): void;
  failed(why: string): void;
}

/** The server need not be heard for ever to be told that its session is over. */
const farewellMs = 2000;
const listenAgainMs = [1000, 30_000] as const;
/** What Node ends by itself: silence of minutes, which is no fault of the server's. */
const silences = ['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'];

export class RemoteWire implements ServerWire {
  readonly #remote: NonNullable<ServerOptions['remote']>;
  readonly #maxBytes: number;
  readonly #listener: RemoteListener;
  readonly #ended = new AbortController();
  /** Requests that are on their way. */
  readonly #open = new Map<number, AbortController>();
  #session: string | undefined;
  #version: string | undefined;
  #listens = false;

  constructor(remote: NonNullable<ServerOptions['remote']>, maxBytes: number, listener: RemoteListener) {
    this.#remote = remote;
    this.#maxBytes = maxBytes;
    this.#listener = listener;
  }

  send(text: string, id?: number): void {
    void this.#post(text, id);
  }

  withdrawn(id: number): void {
    this.#open.get(id)?.abort();
  }

  /** From now on what it tells by itself is listened to. */
  begun(version: string): void {
    this.#version = version;
  }

  close(): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    for (const request of this.#open.values()) request.abort();
    if (this.#session === undefined) return;
    // Whether it hears that its session is over is its own affair.
    void fetch(this.#remote.url, {
      method: 'DELETE',
      headers: this.#headers(),
      redirect: 'manual',
      signal: AbortSignal.timeout(farewellMs),
    }).catch(() => undefined);
  }

  async #post(text: string, id: number | undefined): Promise<void> {
    if (this.#ended.signal.aborted) return;
    const withdrawn = new AbortController();
    if (id !== undefined) this.#open.set(id, withdrawn);
    try {
      await this.#exchange(text, id, id === undefined ? this.#ended.signal : withdrawn.signal);
      if (this.#version !== undefined && !this.#listens) void this.#listen();
    } catch (error) {
      if (!this.#ended.signal.aborted && !withdrawn.signal.aborted) this.#lost(causeOf(error), id);
    } finally {
      if (id !== undefined) this.#open.delete(id);
    }
  }

  async #exchange(text: string, id: number | undefined, signal: AbortSignal): Promise<void> {
    const response = await fetch(this.#remote.url, {
      method: 'POST',
      headers: { ...this.#headers(), 'content-type': 'application/json' },
      body: text,
      redirect: 'manual',
      signal,
    });
    this.#session ??= response.headers.get('mcp-session-id') ?? undefined;
    if (response.ok) {
      await this.#read(response);
      // Where the answer has come, nobody waits for it any more.
      if (id !== undefined) this.#listener.unanswered(id, 'The server ended its answer before it was whole.');
      return;
    }
    await response.body?.cancel();
    // A server need not take what it was not asked to answer.
    if (id !== undefined) this.#listener.failed(`the server answered with the HTTP status ${String(response.status)}`);
  }

  #lost(cause: string, id: number | undefined): void {
    if (silences.includes(cause) && id !== undefined)
      this.#listener.unanswered(id, 'The server was silent for minutes.');
    else this.#listener.failed(cause.startsWith('the server') ? cause : `the server cannot be reached: ${cause}`);
  }

  /** What the server tells by itself comes on a stream of its own, where it has one; without it, nothing is heard. */
  async #listen(): Promise<void> {
    this.#listens = true;
    const { signal } = this.#ended;
    const [leastMs, mostMs] = listenAgainMs;
    for (let pauseMs: number = leastMs; !signal.aborted; pauseMs = Math.min(mostMs, pauseMs * 2)) {
      try {
        const response = await fetch(this.#remote.url, {
          headers: { ...this.#headers(), accept: 'text/event-stream' },
          redirect: 'manual',
          signal,
        });
        if (!response.ok) {
          await response.body?.cancel();
          return;
        }
        const beganMs = performance.now();
        await this.#read(response);
        if (performance.now() - beganMs > mostMs) pauseMs = leastMs;
      } catch {
        // It is tried again: a server that is gone is noticed by its calls.
      }
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined); // ended
    }
  }

  #headers(): Record<string, string> {
    return {
      ...Object.fromEntries(this.#remote.headers),
      accept: 'application/json, text/event-stream',
      ...(this.#session === undefined ? {} : { 'mcp-session-id': this.#session }),
      ...(this.#version === undefined ? {} : { 'mcp-protocol-version': this.#version }),
    };
  }

  async #read(response: Response): Promise<void> {
    const body = response.body as ReadableStream<Uint8Array> | null;
    if (body === null) return;
    const message = (text: string): void => this.#listener.message(text);
    if (response.headers.get('content-type')?.startsWith('text/event-stream') === true) {
      const events = new EventStream(this.#maxBytes, message);
      for await (const bytes of body) events.push(bytes);
      return;
    }
    const decoder = new TextDecoder();
    let whole = '';
    for await (const bytes of body) {
      whole += decoder.decode(bytes, { stream: true });
      if (whole.length > this.#maxBytes)
        throw new Error('the server sent a message that is longer than limits.lineBytes');
    }
    if (whole.trim() !== '') message(whole);
  }
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'no reason given';
  const { cause } = error;
  return cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : error.message;
}
