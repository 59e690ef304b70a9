// Node's own HTTP parser behind sockets that somebody else accepted. The bounds on slow and oversized requests are
// kept by the connections themselves, because node's apply only to a server that listens.
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { HostError } from '../../../protocol/errors.ts';
import type { Audience } from '../../../protocol/operation.ts';
import type { ControlContext } from '../control-context.ts';
import { sendProblem } from './http-answer.ts';
import { collectBody } from './http-body.ts';
import { headWithoutOffer } from './upgrade-offer.ts';
import { HttpConnection, type PendingBound, type RequestHandler } from './http-connection.ts';

export interface HttpServerOptions {
  readonly audience: Audience;
  readonly pending: PendingBound;
  readonly headerBytes?: number;
  readonly keepAliveMs?: number;
}

const defaultHeaderBytes = 16 * 1024;
/** An idle connection costs little; a client that comes back finds it open. */
const defaultKeepAliveMs = 60_000;

export class HttpServer {
  readonly #context: ControlContext;
  readonly #handler: RequestHandler;
  readonly #options: HttpServerOptions;
  readonly #headerBytes: number;
  readonly #server: Server;
  readonly #connections = new WeakMap<Duplex, HttpConnection>();

  constructor(context: ControlContext, handler: RequestHandler, options: HttpServerOptions) {
    this.#context = context;
    this.#handler = handler;
    this.#options = options;
    this.#headerBytes = options.headerBytes ?? defaultHeaderBytes;
    // Whether a host is named is looked at where it matters: node's own refusal has no body that says why.
    const bounds = {
      maxHeaderSize: this.#headerBytes,
      keepAliveTimeout: options.keepAliveMs ?? defaultKeepAliveMs,
      requireHostHeader: false,
    };
    this.#server = createServer(bounds, (request, response) => this.#receive(request, response));
    this.#server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      // A body that was announced and then refused may or may not come: only a new connection is sure.
      response.setHeader('connection', 'close');
      this.#receive(request, response);
    });
    this.#server.on('checkExpectation', (_: IncomingMessage, response: ServerResponse) => {
      response.setHeader('connection', 'close');
      sendProblem(
        response,
        new HostError('invalid_request', 'The only expectation that is met is 100-continue.', {
          expected: '100-continue',
        }),
        { status: 417 },
      );
    });
    this.#server.on('upgrade', (request: IncomingMessage, stream: Duplex, rest: Buffer) =>
      this.#stayWithHttp(request, stream, rest),
    );
    this.#server.on('connect', (_: IncomingMessage, socket: Socket) =>
      this.#connections.get(socket)?.cutOff(noProxy()),
    );
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#refuse(error, socket as Socket));
  }

  /** What was already read from the socket must have been put back. */
  adopt(id: string, socket: Socket): HttpConnection {
    const connection = new HttpConnection(id, socket, this.#context, this.#handler, this.#options);
    this.#connections.set(socket, connection);
    this.#server.emit('connection', socket);
    return connection;
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    this.#connections.get(request.socket)?.receive(request, response);
  }

  /**
   * A client may offer another protocol (curl does, for HTTP/2), and a server may go on with HTTP/1.1. Node's parser
   * takes what follows the offer for that other protocol and loses it, also if nobody listens; so the request is parsed
   * once more without its offer, together with what follows it.
   */
  #stayWithHttp(request: IncomingMessage, stream: Duplex, rest: Buffer): void {
    const { socket } = request;
    const connection = this.#connections.get(socket);
    // Node 26 has parsed the body, or goes on parsing it and hands out another stream until it is done; older Node has
    // not.
    const bodyIsParsed = stream !== socket || request.readableLength > 0;
    connection?.whenAnswered(() => {
      if (bodyIsParsed) void this.#withBody(request, stream, rest, connection);
      else this.#parseAgain(socket, [headWithoutOffer(request), rest]);
    });
  }

  async #withBody(request: IncomingMessage, stream: Duplex, rest: Buffer, connection: HttpConnection): Promise<void> {
    const { halfLines, limits } = this.#context;
    try {
      const body = await collectBody(request, { halfLines, maximum: limits.lineBytes, limit: 'limits.lineBytes' });
      // What comes behind the body comes through this stream from now on, and answers go through it.
      this.#connections.set(stream, connection);
      this.#parseAgain(stream, [headWithoutOffer(request, body), body, rest]);
    } catch (error) {
      // A connection that ended needs no answer.
      if (error instanceof HostError && error.code !== 'connection_closed') connection.cutOff(error);
    }
  }

  #parseAgain(stream: Duplex, bytes: readonly Buffer[]): void {
    stream.unshift(Buffer.concat(bytes));
    this.#server.emit('connection', stream);
  }

  #refuse(error: NodeJS.ErrnoException, socket: Socket): void {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    this.#connections.get(socket)?.cutOff(refusalOf(error, this.#headerBytes));
  }
}

const noProxy = (): HostError =>
  new HostError('method_not_found', 'This is no proxy: CONNECT is not taken.', {
    allow: ['GET', 'HEAD', 'POST', 'DELETE'],
  });

function refusalOf(error: NodeJS.ErrnoException, headerBytes: number): HostError {
  if (error.code === 'HPE_HEADER_OVERFLOW') {
    return new HostError('payload_too_large', `The request's head is larger than ${String(headerBytes)} bytes.`, {
      limit: 'request head',
      maximum: headerBytes,
    });
  }
  return new HostError('invalid_request', `The request is not HTTP/1.1: ${error.message}.`, {
    expected: 'HTTP/1.1, or JSON-RPC 2.0 in lines',
  });
}
