// One connection of the port for webhooks: requests are read off it and answered in their order, each within its time
// and its bounds. It does what node:http would, for less than half of the processor time (docs/decisions).
import type { Socket } from 'node:net';
import type { WebhookListenerBounds } from '../../protocol/edge/messages.ts';
import { answerText, bareAnswer, continueText } from './http-answer.ts';
import { type WebhookAnswer, problem } from './problem.ts';
import { ReceivedBody } from './received-body.ts';
import type { RefusedConnections } from './refused-connections.ts';
import { type Parsers, type RequestHead, RequestParser } from './request-parser.ts';

export interface HttpHandler {
  /** What its head alone is refused for; undefined: it is read to its end. */
  refuse(head: RequestHead): WebhookAnswer | undefined;
  handle(head: RequestHead, body: Buffer): WebhookAnswer | Promise<WebhookAnswer>;
}

/** What all connections share. */
export interface HttpParts {
  readonly parsers: Parsers;
  readonly bounds: WebhookListenerBounds;
  readonly refused: RefusedConnections;
  readonly handler: HttpHandler;
  /** Counts bytes of bodies; false where all of them are more than may be held. A negative number gives them back. */
  hold(bytes: number): boolean;
}

interface Exchange {
  readonly isHead: boolean;
  /** How the connection ends behind its answer: as its sender asked, or because nothing more is read from it. */
  then: 'next' | 'end' | 'refuse';
  text: string | undefined;
}

/** More requests of one connection do not wait for their answers: they are left in its buffers. */
const mostUnanswered = 16;
const mostRequests = 10_000;
const busyRetryMs = 1000;

export const tooLarge = problem('payload_too_large', { headers: { connection: 'close' } });
const busy = problem('too_many_requests', { status: 503, retryAfterMs: busyRetryMs, headers: { connection: 'close' } });
const unexpected: WebhookAnswer = { status: 417, headers: { connection: 'close' }, body: '' };
const faultStatus = { malformed: 400, headersTooLarge: 431 } as const;
const continues = /(?:^|\W)100-continue(?:$|\W)/i;

export class HttpConnection {
  readonly #socket: Socket;
  readonly #parts: HttpParts;
  readonly #parser: RequestParser;
  /** Requests whose answer is not sent, the oldest first. */
  readonly #exchanges: Exchange[] = [];
  #body = new ReceivedBody();
  #isHeadSeen = false;
  #owesContinue = false;
  #unread: Buffer | undefined;
  #requests = 0;
  /** Nothing that comes now is read. */
  #isLast = false;
  /** The last answer is written. */
  #isOver = false;
  #isPaused = false;
  #isFlushing = false;
  /** The sender does not take its answers. */
  #isBlocked = false;
  #hasBegun = true;
  #deadlineMs: number;

  constructor(socket: Socket, parts: HttpParts, closed: (connection: HttpConnection) => void) {
    this.#socket = socket;
    this.#parts = parts;
    this.#parser = new RequestParser(parts.parsers, parts.bounds);
    this.#deadlineMs = performance.now() + parts.bounds.requestMs;
    socket.on('data', (bytes) => this.#received(bytes));
    socket.on('drain', () => {
      this.#isBlocked = false;
      this.#read();
    });
    socket.on('end', () => this.#ended());
    // The peer has gone: it is closed next.
    socket.on('error', () => undefined);
    socket.once('close', () => {
      this.#isLast = true;
      this.#isOver = true;
      this.#parser.free();
      parts.hold(-this.#body.length);
      closed(this);
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Ends what has waited for too long. */
  check(nowMs: number): void {
    if (nowMs < this.#deadlineMs) return;
    const isIdle = !this.#hasBegun && this.#exchanges.length === 0;
    if (isIdle || this.#isBlocked || this.#isOver) this.#socket.destroy();
    else this.#refuse(bareAnswer(408));
  }

  #received(bytes: Buffer): void {
    if (this.#isLast) return;
    this.#unread = bytes;
    this.#read();
  }

  /** Reads what has come, as far as requests may wait for their answers. */
  #read(): void {
    while (this.#unread !== undefined && !this.#isLast && !this.#isFull) {
      const bytes = this.#unread;
      if (!this.#hasBegun) {
        this.#hasBegun = true;
        this.#deadlineMs = performance.now() + this.#parts.bounds.requestMs;
      }
      const read = this.#parser.read(bytes);
      this.#unread = read === bytes.length ? undefined : bytes.subarray(read);
      this.#take();
    }
    this.#adjust();
  }

  get #isFull(): boolean {
    return this.#exchanges.length >= mostUnanswered || this.#isBlocked;
  }

  #take(): void {
    const { head, fault, isComplete } = this.#parser;
    if (fault !== undefined) return this.#refuse(bareAnswer(faultStatus[fault]));
    if (head === undefined) return;
    if (!this.#isHeadSeen && !this.#admits(head)) return;
    if (!this.#takeBody()) return;
    if (isComplete) this.#serve(head);
    else this.#continue();
  }

  /** False where the head decides: it is answered, and what follows is not read. */
  #admits(head: RequestHead): boolean {
    this.#isHeadSeen = true;
    if (head.upgrades) {
      // Nothing is upgraded to, and no tunnel is made.
      this.#isLast = true;
      this.#socket.destroy();
      return false;
    }
    if (head.isHttp11 && head.headers['host'] === undefined) {
      this.#refuse(bareAnswer(400));
      return false;
    }
    const refusal = this.#parts.handler.refuse(head) ?? this.#expectation(head);
    if (refusal === undefined) return true;
    if (head.hasBody || refusal.headers['connection'] === 'close')
      this.#refuse(this.#text(refusal, { isHead: head.isHead, keepsAlive: false }));
    else this.#answered(this.#begin(head), refusal);
    return false;
  }

  #expectation({ headers, isHttp11 }: RequestHead): WebhookAnswer | undefined {
    const { expect } = headers;
    if (expect === undefined || !isHttp11) return undefined;
    if (!continues.test(expect)) return unexpected;
    this.#owesContinue = true;
    return undefined;
  }

  /** Only the sender of the oldest request that is not answered may be told to go on. */
  #continue(): void {
    if (!this.#owesContinue || this.#exchanges.length > 0) return;
    this.#owesContinue = false;
    this.#socket.write(continueText, 'latin1');
  }

  #takeBody(): boolean {
    const { pieces } = this.#parser;
    if (pieces.length === 0) return true;
    this.#parser.pieces = [];
    for (const piece of pieces) {
      if (this.#body.length + piece.length > this.#parts.bounds.bodyBytes) {
        this.#refuse(this.#text(tooLarge, { isHead: false, keepsAlive: false }));
        return false;
      }
      this.#body.add(piece);
      if (!this.#parts.hold(piece.length)) {
        this.#refuse(this.#text(busy, { isHead: false, keepsAlive: false }));
        return false;
      }
    }
    return true;
  }

  #serve(head: RequestHead): void {
    const body = this.#body.whole();
    const exchange = this.#begin(head);
    const done = (answer: WebhookAnswer): void => {
      this.#parts.hold(-body.length);
      this.#answered(exchange, answer);
    };
    try {
      const answer = this.#parts.handler.handle(head, body);
      if (answer instanceof Promise) answer.then(done, () => done(problem('internal')));
      else done(answer);
    } catch {
      // A fault of this program's own must not end the thread.
      done(problem('internal'));
    }
  }

  /** Its request is whole; the next one can be read. */
  #begin({ isHead, keepsAlive: wanted }: RequestHead): Exchange {
    this.#requests += 1;
    const keepsAlive = wanted && this.#requests < mostRequests;
    const exchange: Exchange = { isHead, then: keepsAlive ? 'next' : 'end', text: undefined };
    this.#exchanges.push(exchange);
    this.#body = new ReceivedBody();
    this.#isHeadSeen = false;
    this.#owesContinue = false;
    this.#hasBegun = false;
    this.#isLast = !keepsAlive;
    this.#parser.next();
    return exchange;
  }

  #answered(exchange: Exchange, answer: WebhookAnswer): void {
    if (this.#isOver) return;
    if (answer.headers['connection'] === 'close') exchange.then = 'refuse';
    exchange.text = this.#text(answer, { isHead: exchange.isHead, keepsAlive: exchange.then === 'next' });
    if (this.#isFlushing || this.#exchanges[0] !== exchange) return;
    // Answers that come in one turn go out together.
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  }

  /** Behind the answers that are owed; nothing more is read. */
  #refuse(text: string): void {
    this.#isLast = true;
    this.#unread = undefined;
    this.#parts.hold(-this.#body.length);
    this.#body = new ReceivedBody();
    this.#exchanges.push({ isHead: false, then: 'refuse', text });
    this.#flush();
  }

  #text(answer: WebhookAnswer, rest: { readonly isHead: boolean; readonly keepsAlive: boolean }): string {
    return answerText(answer, { ...rest, idleMs: this.#parts.bounds.idleMs });
  }

  #flush(): void {
    if (this.#isOver) return;
    let text = '';
    let then: Exchange['then'] = 'next';
    while (this.#exchanges[0]?.text !== undefined && then === 'next') {
      text += this.#exchanges[0].text;
      then = this.#exchanges[0].then;
      this.#exchanges.shift();
    }
    if (text !== '' && !this.#socket.write(text, 'latin1')) {
      this.#isBlocked = true;
      this.#deadlineMs = performance.now() + this.#parts.bounds.requestMs;
    }
    if (then === 'next') {
      this.#continue();
      this.#read();
      return;
    }
    this.#isOver = true;
    this.#isLast = true;
    this.#deadlineMs = performance.now() + this.#parts.bounds.requestMs;
    if (then === 'refuse') this.#parts.refused.add(this.#socket);
    else this.#socket.destroySoon();
  }

  /** The sender has closed its side: it is owed the answers to what it has sent. */
  #ended(): void {
    if (this.#isLast) return;
    if (this.#hasBegun && !this.#parser.finish()) this.#refuse(bareAnswer(400));
    else if (this.#exchanges.length === 0) this.#socket.destroySoon();
    else {
      this.#isLast = true;
      const last = this.#exchanges.at(-1);
      if (last !== undefined && last.then === 'next') last.then = 'end';
    }
  }

  /** Reads on or not, and sets until when what comes next is waited for. */
  #adjust(): void {
    if (this.#isOver) return;
    const pauses = this.#isFull || this.#unread !== undefined || this.#isLast;
    const { requestMs, idleMs } = this.#parts.bounds;
    if (pauses !== this.#isPaused) {
      this.#isPaused = pauses;
      if (pauses) this.#socket.pause();
      else this.#socket.resume();
      // What had begun is not blamed for the time in which it was not read.
      if (this.#hasBegun) this.#deadlineMs = performance.now() + requestMs;
    }
    if (this.#isBlocked) return;
    if (pauses) this.#deadlineMs = Infinity;
    else if (!this.#hasBegun) this.#deadlineMs = this.#exchanges.length > 0 ? Infinity : performance.now() + idleMs;
  }
}
