// One connection to the peer of a websocket source, from the handshake to its end. It knows whether the peer lives: one
// that is silent for longer than its heartbeat allows is dead, whatever TCP says.
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { RawData, WebSocket } from 'ws';
import type { WebsocketSource } from '../../protocol/sources.ts';

export interface ConnectionEnd {
  /** Of the close frame, or of the HTTP answer that refused the handshake. */
  readonly code?: number;
  readonly by: 'peer' | 'refused' | 'fault' | 'silence';
  readonly message: string;
}

export interface ConnectionListener {
  opened(): void;
  message(data: Buffer, isBinary: boolean): void;
  /** Once, and nothing comes after it; not after `close`. */
  ended(end: ConnectionEnd): void;
}

export interface ConnectionOptions {
  readonly declaration: WebsocketSource;
  readonly headers: Readonly<Record<string, string>>;
  /** Of one message. */
  readonly mostBytes: number;
  /** What is sent at each heartbeat; undefined: a ping frame. */
  heartbeat(): string | undefined;
  readonly listener: ConnectionListener;
}

/** A peer that does not read what it is sent is not sent more. */
const mostUnsentBytes = 1024 * 1024;
const closeFrameMs = 1000;

export class WebsocketConnection {
  readonly #options: ConnectionOptions;
  #socket: WebSocket | undefined;
  #heardMs = 0;
  #isPaused = false;
  #fault: string | undefined;
  #beat: NodeJS.Timeout | undefined;
  #silence: NodeJS.Timeout | undefined;
  #handshake: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    void this.#open();
  }

  /** Sends a text; false: it was not sent, because the connection is not open or the peer does not read. */
  send(text: string): boolean {
    const socket = this.#socket;
    if (socket?.readyState !== 1 || socket.bufferedAmount > mostUnsentBytes) return false;
    socket.send(text, ignoreUnsent);
    return true;
  }

  /** As `send`, and resolves with true once the system has taken all of it. */
  async deliver(text: string): Promise<boolean> {
    const socket = this.#socket;
    if (socket?.readyState !== 1 || socket.bufferedAmount > mostUnsentBytes) return false;
    return await new Promise((resolve) => socket.send(text, (error) => resolve(error == null)));
  }

  /** Nothing is read until `resume`: the peer is held up by TCP. It is not expected to be heard meanwhile. */
  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    clearTimeout(this.#silence);
    this.#socket?.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket?.resume();
    if (this.#socket?.readyState === 1) this.#heard();
  }

  close(code = 1000): void {
    if (this.#isOver) return;
    this.#over();
    const socket = this.#socket;
    if (socket === undefined) return;
    if (socket.readyState !== 1) return socket.terminate();
    // The rest of what the peer sends is of no interest.
    socket.resume();
    socket.close(code);
    const hard = setTimeout(() => socket.terminate(), closeFrameMs);
    socket.once('close', () => clearTimeout(hard));
  }

  async #open(): Promise<void> {
    const { declaration, headers, mostBytes } = this.#options;
    try {
      const { WebSocket } = await import('ws');
      if (this.#isOver) return;
      const socket = new WebSocket(declaration.url, declaration.protocols, {
        headers,
        // Compressed frames could unfold beyond any bound.
        perMessageDeflate: false,
        maxPayload: mostBytes,
        followRedirects: false,
        handshakeTimeout: declaration.connectMs,
      });
      this.#socket = socket;
      this.#listen(socket);
    } catch (thrown) {
      this.#end({ by: 'fault', message: `The connection cannot be made (${causeOf(thrown)}).` });
    }
  }

  #listen(socket: WebSocket): void {
    const { connectMs } = this.#options.declaration;
    // The library's own limit begins again with each byte that comes.
    this.#handshake = setTimeout(() => {
      this.#end({ by: 'fault', message: `The connection was not open within ${String(connectMs)} ms (connectMs).` });
    }, connectMs);
    socket.on('open', () => this.#opened());
    socket.on('message', (data: RawData, isBinary: boolean) => {
      if (this.#isOver) return;
      this.#heard();
      // With its usual kind of binary data the library gives buffers.
      this.#options.listener.message(data as Buffer, isBinary);
    });
    socket.on('ping', () => this.#heard());
    socket.on('pong', () => this.#heard());
    socket.on('unexpected-response', (request: ClientRequest, response: IncomingMessage) => {
      const code = response.statusCode ?? 0;
      response.destroy();
      request.destroy();
      this.#end({ by: 'refused', code, message: `The peer refused the connection with HTTP ${String(code)}.` });
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#fault ??= faults[error.code ?? ''] ?? `The connection failed (${causeOf(error)}).`;
    });
    socket.on('close', (code: number, reason: Buffer) => {
      if (this.#fault !== undefined) return this.#end({ by: 'fault', message: this.#fault });
      if (code === 1006) return this.#end({ by: 'fault', message: 'The connection was cut.' });
      const said = reason.length === 0 ? '' : ` and said: ${reason.toString('utf8')}`;
      this.#end({ by: 'peer', code, message: `The peer closed the connection with code ${String(code)}${said}.` });
    });
  }

  #opened(): void {
    if (this.#isOver) return;
    clearTimeout(this.#handshake);
    if (this.#isPaused) this.#socket?.pause();
    this.#heard();
    this.#beat = setInterval(() => this.#sendHeartbeat(), this.#everyMs);
    this.#options.listener.opened();
  }

  /** A ping frame is sent often enough that an answer can come in time. */
  get #everyMs(): number {
    const { everyMs, expectMs, message } = this.#options.declaration.heartbeat;
    return message === undefined ? Math.min(everyMs, Math.ceil(expectMs / 2)) : everyMs;
  }

  #sendHeartbeat(): void {
    const socket = this.#socket;
    if (socket?.readyState !== 1) return;
    if (socket.bufferedAmount > mostUnsentBytes)
      return this.#end({ by: 'silence', message: 'The peer does not read what it is sent.' });
    const text = this.#options.heartbeat();
    if (text === undefined) socket.ping(undefined, undefined, ignoreUnsent);
    else socket.send(text, ignoreUnsent);
  }

  #heard(): void {
    this.#heardMs = performance.now();
    if (this.#isPaused || this.#isOver) return;
    const { expectMs } = this.#options.declaration.heartbeat;
    if (this.#silence === undefined) this.#silence = setTimeout(() => this.#lookForSilence(), expectMs);
    else this.#silence.refresh();
  }

  /** What has arrived while this thread did something else is read before the peer is called silent. */
  #lookForSilence(): void {
    const { expectMs } = this.#options.declaration.heartbeat;
    setImmediate(() => {
      if (this.#isOver || this.#isPaused) return;
      // A timer may be early by a part of a millisecond: it looks again, or nobody ever would.
      if (performance.now() - this.#heardMs < expectMs) return void this.#silence?.refresh();
      this.#end({
        by: 'silence',
        message: `The peer was silent for ${String(expectMs)} ms (heartbeat.expectMs) and counts as dead.`,
      });
    });
  }

  #end(end: ConnectionEnd): void {
    if (this.#isOver) return;
    this.#over();
    this.#socket?.terminate();
    this.#options.listener.ended(end);
  }

  #over(): void {
    this.#isOver = true;
    clearTimeout(this.#handshake);
    clearTimeout(this.#silence);
    clearInterval(this.#beat);
  }
}

/** That something could not be sent is told by the connection's end. */
const ignoreUnsent = (): void => undefined;

/** What the peer does against the protocol, in the library's codes. */
const faults: Readonly<Record<string, string>> = {
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 'The peer sent a message larger than limits.eventBytes.',
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: 'The peer sent a message larger than limits.eventBytes.',
  WS_ERR_INVALID_UTF8: 'The peer sent text that is not UTF-8.',
  WS_ERR_UNEXPECTED_RSV_1: 'The peer sent a compressed message, which was not offered.',
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 'The peer sent a message in too many pieces.',
};

function causeOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return 'unknown';
  return (thrown as NodeJS.ErrnoException).code ?? thrown.message;
}
