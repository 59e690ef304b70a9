// A websocket source: what is said over the one connection that is kept while its service takes events. A full queue
// stops the reading.
import type { CommandAnswer, EdgeSource } from '../../protocol/edge/messages.ts';
import type { WebsocketSource } from '../../protocol/sources.ts';
import type { DriverContext, SourceDriver } from './driver.ts';
import { KeptConnection } from './kept-connection.ts';
import { OrderedEvents } from './ordered-events.ts';
import { type ConnectionEnd, WebsocketConnection } from './websocket-connection.ts';
import { type Position, filledMessage, messageContent } from './websocket-message.ts';

/** Beyond these nothing more is read; what one read of the socket has brought is still taken. */
const mostWaiting = 64;
const closeCodes = { done: 1000, away: 1001 } as const;
/** A command waits so long for a connection before it is tried again later. */
const openWithinMs = 10_000;

/** Close codes that another try would only meet again. */
const finalCodes: readonly number[] = [1002, 1003, 1007, 1008, 1009, 1010];
/** HTTP answers to the handshake of the same kind. */
const finalAnswers: readonly number[] = [401, 403];

export class WebsocketDriver implements SourceDriver {
  readonly #context: DriverContext;
  readonly #declaration: WebsocketSource;
  readonly #kept: KeptConnection<WebsocketConnection>;
  readonly #events: OrderedEvents;
  #source: EdgeSource;
  /** Commands that wait for the connection to be open. */
  readonly #awaiting = new Set<() => void>();
  /** Of the newest message that was accepted. */
  #position: Position | undefined;
  #hasResumed = false;

  constructor(context: DriverContext) {
    this.#context = context;
    this.#source = context.source;
    // The driver is made for sources of this type alone.
    this.#declaration = context.source.declaration as WebsocketSource;
    this.#events = new OrderedEvents(context, () => this.#kept.current?.resume());
    this.#kept = new KeptConnection(context, {
      peer: 'The peer',
      auth: this.#declaration.auth,
      backoffMs: this.#declaration.reconnect.backoffMs,
      connect: (credential) => this.#connect(credential),
      disconnect: (connection, why) => connection?.close(closeCodes[why]),
    });
    this.#kept.begin();
  }

  changed(source: EdgeSource): void {
    this.#source = source;
    if (this.#kept.changed(source)) this.#events.hurry();
  }

  /** Waits a moment for a connection that is being made: what is sent is an answer, usually. */
  async send(text: string): Promise<CommandAnswer> {
    if (!this.#kept.isOpen && this.#kept.isExpected) await this.#untilOpen();
    const connection = this.#kept.isOpen ? this.#kept.current : undefined;
    if (connection === undefined) return unsent('There is no connection to the peer.');
    return (await connection.deliver(text))
      ? { is: 'sent' }
      : unsent('The peer does not read what it is sent, or the connection ended.');
  }

  reread(): void {
    this.#kept.reread();
  }

  close(): void {
    this.#kept.close();
    this.#events.close();
    for (const done of [...this.#awaiting]) done();
  }

  #connect(credential: string | undefined): WebsocketConnection {
    const { auth, heartbeat } = this.#declaration;
    const headers =
      auth === undefined || credential === undefined ? {} : { [auth.header]: `${auth.prefix}${credential}` };
    const connection: WebsocketConnection = new WebsocketConnection({
      declaration: this.#declaration,
      headers,
      mostBytes: this.#context.eventBytes,
      heartbeat: () => (heartbeat.message === undefined ? undefined : this.#filled(heartbeat.message)),
      listener: {
        opened: () => this.#opened(connection),
        message: (data, isBinary) => this.#message(data, isBinary),
        ended: (end) => this.#ended(end),
      },
    });
    if (this.#events.waiting >= mostWaiting) connection.pause();
    return connection;
  }

  #filled(message: unknown): string {
    return filledMessage(message, { credential: this.#kept.credential, position: this.#position });
  }

  #opened(connection: WebsocketConnection): void {
    const { hello, resume } = this.#declaration;
    this.#hasResumed = resume !== undefined && this.#position !== undefined;
    const messages = resume !== undefined && this.#hasResumed ? resume.messages : hello;
    for (const message of messages) connection.send(this.#filled(message));
    this.#kept.opened();
    for (const done of [...this.#awaiting]) done();
  }

  #untilOpen(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(late);
        this.#awaiting.delete(done);
        resolve();
      };
      const late = setTimeout(done, openWithinMs);
      this.#awaiting.add(done);
    });
  }

  #message(data: Buffer, isBinary: boolean): void {
    const context = this.#context;
    context.count('received');
    const { name, kinds } = this.#source;
    const content = messageContent(data, isBinary, {
      name,
      kinds,
      nesting: context.nesting,
      declaration: this.#declaration,
    });
    if ('fault' in content) return this.#refuse('invalid_event', content.fault);
    if ('ignored' in content) {
      context.count('ignored');
      // A position counts only once all before it is accepted.
      if (this.#events.waiting === 0) this.#passed(content.position);
      return;
    }
    if (Buffer.byteLength(content.event.payload) > context.eventBytes)
      return this.#refuse(
        'payload_too_large',
        `its event is larger than ${String(context.eventBytes)} bytes (limits.eventBytes)`,
      );
    this.#events.add(content.event, () => this.#passed(content.position));
    if (this.#events.waiting >= mostWaiting || this.#events.bytes > context.eventBytes) this.#kept.current?.pause();
  }

  #passed(position: Position | undefined): void {
    if (position === undefined) return;
    this.#position = position;
    this.#hasResumed = false;
  }

  #refuse(code: string, why: string): void {
    this.#context.count('refused');
    this.#context.fault({ code, message: `A message was refused: ${why}.` });
  }

  #ended({ by, code, message }: ConnectionEnd): void {
    // A peer that does not go on from there is told hello again.
    if (by === 'peer' && this.#hasResumed) this.#position = undefined;
    this.#kept.ended({
      code: codes[by],
      message: this.#withoutCredential(message),
      isFinal: code !== undefined && this.#isFinalCode(by, code),
    });
  }

  #isFinalCode(by: ConnectionEnd['by'], code: number): boolean {
    if (by === 'refused') return finalAnswers.includes(code);
    return by === 'peer' && (finalCodes.includes(code) || this.#declaration.finalCodes.includes(code));
  }

  /** A peer may give back what it was sent. */
  #withoutCredential(text: string): string {
    const { credential } = this.#kept;
    return credential === undefined || credential === '' ? text : text.replaceAll(credential, '[credential]');
  }
}

const unsent = (message: string): CommandAnswer => ({ is: 'retry', code: 'output_unreachable', message });

const codes: Readonly<Record<ConnectionEnd['by'], string>> = {
  peer: 'connection_closed',
  refused: 'connection_refused',
  fault: 'connection_failed',
  silence: 'connection_silent',
};
