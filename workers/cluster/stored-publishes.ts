// Publishes that are answered when JetStream has stored the message. The client's own way makes a request with a timer,
// a token and two promises for each; here all of a connection share one subscription, and one timer looks for those
// that are late. Nor is an object of headers built for each: the one header is written as the bytes that are sent.
import type { MsgHdrs, NatsConnection } from '@nats-io/transport-node';

/** What of a connection it needs. */
export type PublishConnection = Pick<NatsConnection, 'publish' | 'subscribe'>;

export interface StoredPublishesOptions {
  readonly connection: PublishConnection;
  readonly timeoutMs: number;
}

export interface StoredMessage {
  readonly subject: string;
  /** What comes twice under the same id is stored once. */
  readonly messageId: string;
  readonly body: Uint8Array;
}

/** Whether it was stored before; or why it was not, with the code of JetStream's API where that refuses. */
export type StoredAnswer = (outcome: boolean | Error) => void;

interface Waiting {
  readonly dueMs: number;
  readonly answered: StoredAnswer;
}

interface Acknowledgement {
  readonly stream?: unknown;
  readonly duplicate?: unknown;
  readonly error?: { readonly err_code?: unknown; readonly description?: unknown };
}

const looksEach = 4;
const noResponders = 503;

export class StoredPublishes {
  readonly #options: StoredPublishesOptions;
  readonly #inbox: string;
  /** By the number behind the inbox, the one that is due first first. */
  readonly #waiting = new Map<number, Waiting>();
  readonly #timer: NodeJS.Timeout;
  #last = 0;

  /** `inbox`: a subject that nobody else listens to. */
  constructor(options: StoredPublishesOptions, inbox: string) {
    this.#options = options;
    this.#inbox = inbox;
    const { connection, timeoutMs } = options;
    connection.subscribe(`${inbox}.*`, {
      callback: (error, message) => {
        if (error === null) this.#answered(Number(message.subject.slice(inbox.length + 1)), message);
      },
    });
    this.#timer = setInterval(() => this.#look(), Math.max(1, timeoutMs / looksEach));
  }

  /** Throws where the client does not send it. */
  publish({ subject, messageId, body }: StoredMessage, answered: StoredAnswer): void {
    const { connection, timeoutMs } = this.#options;
    const number = (this.#last += 1);
    const reply = `${this.#inbox}.${String(number)}`;
    connection.publish(subject, body, { reply, headers: new MessageIdHeader(messageId) as unknown as MsgHdrs });
    this.#waiting.set(number, { dueMs: performance.now() + timeoutMs, answered });
  }

  /** The connection is gone for good: nothing is answered any more. */
  close(): void {
    clearInterval(this.#timer);
    for (const { answered } of this.#take(() => true)) answered(new Error('the connection is closed'));
  }

  #answered(
    number: number,
    message: { readonly headers?: { readonly code: number } | undefined; string(): string },
  ): void {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    if (waiting === undefined) return;
    waiting.answered(message.headers?.code === noResponders ? new Error('no responders') : outcomeOf(message.string()));
  }

  #look(): void {
    const nowMs = performance.now();
    for (const { answered } of this.#take(({ dueMs }) => dueMs <= nowMs)) answered(new Error('timeout'));
  }

  /** From the first on, as long as that is so. */
  #take(isSo: (waiting: Waiting) => boolean): Waiting[] {
    const taken: Waiting[] = [];
    for (const [number, waiting] of this.#waiting) {
      if (!isSo(waiting)) break;
      this.#waiting.delete(number);
      taken.push(waiting);
    }
    return taken;
  }
}

/** Of the client's headers it has what a publish asks of them. */
class MessageIdHeader {
  readonly #messageId: string;

  constructor(messageId: string) {
    this.#messageId = messageId;
  }

  encode(): Uint8Array {
    return Buffer.from(`NATS/1.0\r\nNats-Msg-Id: ${this.#messageId}\r\n\r\n`);
  }
}

/** Nearly all answers: it is stored, and was not before. */
const plainAnswer = /^\{"stream":"[^"\\]+", ?"seq":\d+\}$/;

function outcomeOf(text: string): boolean | Error {
  if (plainAnswer.test(text)) return false;
  try {
    const { error, stream, duplicate } = JSON.parse(text) as Acknowledgement;
    if (error !== undefined) {
      const refusal = new Error(typeof error.description === 'string' ? error.description : 'it was refused');
      return Object.assign(refusal, { code: error.err_code });
    }
    if (typeof stream === 'string') return duplicate === true;
  } catch {
    // Said below.
  }
  return new Error('the answer does not come from JetStream');
}
