// A websocket source: one connection at a time, made again after a back-off when it ends, and closed while the source
// is paused or its service takes no events. A full queue stops the reading.
import type { CommandAnswer, EdgeSource } from '../../protocol/edge/messages.ts';
import type { WebsocketSource } from '../../protocol/sources.ts';
import { BackOff } from './back-off.ts';
import type { DriverContext, SourceDriver } from './driver.ts';
import { OrderedEvents } from './ordered-events.ts';
import { type ConnectionEnd, WebsocketConnection } from './websocket-connection.ts';
import { type Position, filledMessage, messageContent } from './websocket-message.ts';

/** Beyond these nothing more is read; what one read of the socket has brought is still taken. */
const mostWaiting = 64;
const goingAway = 1001;
/** A command waits so long for a connection before it is tried again later. */
const openWithinMs = 10_000;

/** Close codes that another try would only meet again. */
const finalCodes: readonly number[] = [1002, 1003, 1007, 1008, 1009, 1010];
/** HTTP answers to the handshake of the same kind. */
const finalAnswers: readonly number[] = [401, 403];

export class WebsocketDriver implements SourceDriver {
  readonly #context: DriverContext;
  readonly #declaration: WebsocketSource;
  readonly #backOff: BackOff;
  readonly #events: OrderedEvents;
  #source: EdgeSource;
  #credential: string | undefined;
  #connection: WebsocketConnection | undefined;
  #openedMs: number | undefined;
  /** Commands that wait for the connection to be open. */
  readonly #awaiting = new Set<() => void>();
  #retry: NodeJS.Timeout | undefined;
  /** No other connection is tried until somebody does something. */
  #isFinal = false;
  /** Of the newest message that was accepted. */
  #position: Position | undefined;
  #hasResumed = false;

  constructor(context: DriverContext) {
    this.#context = context;
    this.#source = context.source;
    // The driver is made for sources of this type alone.
    this.#declaration = context.source.declaration as WebsocketSource;
    this.#backOff = new BackOff(this.#declaration.reconnect.backoffMs);
    this.#events = new OrderedEvents(context, () => this.#connection?.resume());
    this.#follow();
  }

  changed(source: EdgeSource): void {
    const wasWanted = this.#isWanted;
    const isAsked = source.asked !== this.#source.asked && this.#connection === undefined;
    this.#source = source;
    if (this.#isWanted === wasWanted && !isAsked) return;
    this.#again();
    this.#events.hurry();
  }

  /** Waits a moment for a connection that is being made: what is sent is an answer, usually. */
  async send(text: string): Promise<CommandAnswer> {
    if (this.#openedMs === undefined && this.#isWanted && !this.#isFinal) await this.#untilOpen();
    const connection = this.#openedMs === undefined ? undefined : this.#connection;
    if (connection === undefined) return unsent('There is no connection to the peer.');
    return (await connection.deliver(text))
      ? { is: 'sent' }
      : unsent('The peer does not read what it is sent, or the connection ended.');
  }

  reread(): void {
    const before = this.#credential;
    const { auth } = this.#declaration;
    const found = auth === undefined ? undefined : this.#context.credentials.find(auth.env);
    if (this.#connection === undefined || (found?.ok === true && found.value !== before)) {
      this.#disconnect(goingAway);
      this.#again();
    }
  }

  close(): void {
    this.#disconnect(this.#source.accepting ? 1000 : goingAway);
    this.#events.close();
    for (const done of [...this.#awaiting]) done();
  }

  get #isWanted(): boolean {
    return !this.#source.paused && this.#source.accepting;
  }

  /** From the beginning, as if nothing had failed. */
  #again(): void {
    this.#isFinal = false;
    this.#backOff.reset();
    this.#follow();
  }

  #follow(): void {
    if (!this.#isWanted) {
      this.#disconnect(1000);
      this.#context.state('paused');
    } else if (this.#connection === undefined && !this.#isFinal) this.#connect();
  }

  #disconnect(code: number): void {
    clearTimeout(this.#retry);
    this.#connection?.close(code);
    this.#connection = undefined;
    this.#openedMs = undefined;
  }

  #connect(): void {
    clearTimeout(this.#retry);
    const { auth, heartbeat } = this.#declaration;
    const found = auth === undefined ? undefined : this.#context.credentials.find(auth.env);
    if (found?.ok === false) {
      this.#context.state('faulty', {
        code: 'credential_missing',
        message: `The peer cannot be asked for a connection: ${found.message}.`,
      });
      return;
    }
    this.#credential = found?.value;
    this.#context.state('connecting');
    const headers = auth === undefined || found === undefined ? {} : { [auth.header]: `${auth.prefix}${found.value}` };
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
    this.#connection = connection;
    if (this.#events.waiting >= mostWaiting) connection.pause();
  }

  #filled(message: unknown): string {
    return filledMessage(message, { credential: this.#credential, position: this.#position });
  }

  #opened(connection: WebsocketConnection): void {
    const { hello, resume } = this.#declaration;
    this.#openedMs = performance.now();
    this.#hasResumed = resume !== undefined && this.#position !== undefined;
    const messages = resume !== undefined && this.#hasResumed ? resume.messages : hello;
    for (const message of messages) connection.send(this.#filled(message));
    this.#context.state('open');
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
    if (this.#events.waiting >= mostWaiting || this.#events.bytes > context.eventBytes) this.#connection?.pause();
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
    const context = this.#context;
    this.#connection = undefined;
    if (this.#openedMs !== undefined) this.#backOff.lasted(performance.now() - this.#openedMs);
    this.#openedMs = undefined;
    // A peer that does not go on from there is told hello again.
    if (by === 'peer' && this.#hasResumed) this.#position = undefined;
    const told = { code: codes[by], message: this.#withoutCredential(message) };
    this.#isFinal = code !== undefined && this.#isFinalCode(by, code);
    if (this.#isFinal) {
      const advice = 'No other connection is tried until the source is resumed, reloaded or its credential changed.';
      context.state('faulty', { ...told, message: `${told.message} ${advice}` });
      return;
    }
    context.state('retrying', told);
    this.#retry = setTimeout(() => {
      context.count('reconnects');
      this.#connect();
    }, this.#backOff.next());
  }

  #isFinalCode(by: ConnectionEnd['by'], code: number): boolean {
    if (by === 'refused') return finalAnswers.includes(code);
    return by === 'peer' && (finalCodes.includes(code) || this.#declaration.finalCodes.includes(code));
  }

  /** A peer may give back what it was sent. */
  #withoutCredential(text: string): string {
    const credential = this.#credential;
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
