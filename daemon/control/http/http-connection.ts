// One connection that speaks HTTP: node parses it, and here its requests are taken one after the other, so that a peer
// that sends many and reads nothing holds one answer and no more.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { HostError } from '../../../protocol/errors.ts';
import type { Audience } from '../../../protocol/operation.ts';
import { plural } from '../../../protocol/plural.ts';
import { type Connection, partFrom, partOnceRead } from '../connection.ts';
import { awakeTime } from '../../time/awake-time.ts';
import type { ControlContext } from '../control-context.ts';
import { sendProblem, writeProblem } from './http-answer.ts';
import type { HttpPeer } from './http-caller.ts';
import { Subscriptions } from '../subscriptions.ts';

/** Answers a request; never rejects. */
export interface RequestHandler {
  handle(request: IncomingMessage, response: ServerResponse, peer: HttpPeer): Promise<void>;
}

export interface PendingBound {
  readonly maximum: number;
  /** What the bound is called in the configuration. */
  readonly limit: string;
}

export interface HttpConnectionOptions {
  readonly audience: Audience;
  readonly pending: PendingBound;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly arrivedMs: number;
}

export class HttpConnection implements Connection, HttpPeer {
  readonly id: string;
  readonly audience: Audience;
  readonly subscriptions: Subscriptions;
  readonly #socket: Socket;
  readonly #context: ControlContext;
  readonly #handler: RequestHandler;
  readonly #pending: PendingBound;
  readonly #waiting: Exchange[] = [];
  #stream: { end(): void } | undefined;
  #current: Exchange | undefined;
  #exchanges = 0;
  /** How much had been read when the last exchange ended: more means that the next request has begun. */
  #bytesAtRest = 0;
  #whenAnswered: (() => void) | undefined;
  #finishing = false;
  #gone = false;

  constructor(
    id: string,
    socket: Socket,
    context: ControlContext,
    handler: RequestHandler,
    { audience, pending }: HttpConnectionOptions,
  ) {
    this.id = id;
    this.audience = audience;
    this.#socket = socket;
    this.#context = context;
    this.#handler = handler;
    this.#pending = pending;
    this.subscriptions = new Subscriptions(context.feed, context.limits);
    socket.once('close', () => this.#leave());
  }

  get unfinished(): number | undefined {
    const arriving =
      this.#current === undefined ? this.#socket.bytesRead > this.#bytesAtRest : !this.#current.request.complete;
    return arriving && !this.#gone ? this.#exchanges : undefined;
  }

  get arrivedMs(): number {
    return this.#current?.arrivedMs ?? awakeTime.nowMs();
  }

  receive(request: IncomingMessage, response: ServerResponse): void {
    // What is written to a peer that has gone is ignored: the peer has disconnected.
    response.on('error', () => {});
    const { maximum, limit } = this.#pending;
    if (this.#gone) return;
    const exchange = { request, response, arrivedMs: awakeTime.nowMs() };
    if (this.#current === undefined && this.#waiting.length === 0) this.#begin(exchange);
    else if (this.#waiting.length < maximum) this.#waiting.push(exchange);
    else
      sendProblem(
        response,
        new HostError(
          'too_many_requests',
          `This connection has ${plural(maximum, 'unanswered request')}, which is the limit. Raise ${limit} to allow more.`,
          { limit, maximum },
        ),
      );
  }

  /** Calls back once every request that came so far is answered; never if the connection ends before. */
  whenAnswered(go: () => void): void {
    if (this.#gone) return;
    if (this.#current === undefined && this.#waiting.length === 0) go();
    else this.#whenAnswered = go;
  }

  beginStream(stream: { end(): void }): void {
    this.#stream = stream;
  }

  cutOff(reason: HostError): void {
    if (this.#gone) return;
    this.#context.tally.connectionsCutOff += 1;
    this.#context.log.warn({ connection: this.id, reason: reason.code }, 'cut a connection off');
    const midAnswer = this.#current?.response.headersSent === true;
    this.#leave();
    if (midAnswer) {
      this.#socket.destroy();
      return;
    }
    writeProblem(this.#socket, reason);
    partFrom(this.#socket);
  }

  finish(): void {
    this.#finishing = true;
    this.#waiting.length = 0;
    if (this.#gone) return;
    if (this.#current === undefined) this.#part();
    else if (this.#stream !== undefined) this.#stream.end();
    else if (!this.#current.response.headersSent) this.#current.response.setHeader('connection', 'close');
  }

  #begin(exchange: Exchange): void {
    this.#current = exchange;
    exchange.response.once('close', () => this.#ended());
    if (this.#finishing) exchange.response.setHeader('connection', 'close');
    void this.#handler.handle(exchange.request, exchange.response, this);
  }

  #ended(): void {
    this.#current = undefined;
    this.#stream = undefined;
    this.subscriptions.closeAll();
    this.#exchanges += 1;
    this.#bytesAtRest = this.#socket.bytesRead;
    if (this.#gone) return;
    if (this.#finishing) this.#part();
    else if (this.#socket.writableNeedDrain) this.#socket.once('drain', () => this.#next());
    else this.#next();
  }

  #next(): void {
    if (this.#gone || this.#current !== undefined) return;
    const exchange = this.#waiting.shift();
    if (exchange !== undefined) {
      this.#begin(exchange);
      return;
    }
    const go = this.#whenAnswered;
    this.#whenAnswered = undefined;
    go?.();
  }

  #part(): void {
    this.#leave();
    partOnceRead(this.#socket);
  }

  #leave(): void {
    this.#gone = true;
    this.#waiting.length = 0;
    this.subscriptions.closeAll();
  }
}
