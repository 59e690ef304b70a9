// Node's own HTTP parser behind sockets that somebody else accepted. The bounds on slow and oversized requests are
// kept by the connections themselves, because node's apply only to a server that listens.
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { Socket } from 'node:net';
import { HostError } from '../../protocol/errors.ts';
import type { ControlContext } from './control-context.ts';
import { HttpApi, type HttpApiOptions } from './http-api.ts';
import { HttpConnection } from './http-connection.ts';

const maxHeaderSize = 16 * 1024;
/** An idle connection costs little; a client that comes back finds it open. */
const keepAliveTimeout = 60_000;

export class HttpServer {
  readonly #context: ControlContext;
  readonly #api: HttpApi;
  readonly #server: Server;
  readonly #connections = new WeakMap<Socket, HttpConnection>();

  constructor(context: ControlContext, options: Pick<HttpApiOptions, 'documents' | 'allowedAudiences'>) {
    this.#context = context;
    this.#api = new HttpApi({ ...context, ...options });
    this.#server = createServer({ maxHeaderSize, keepAliveTimeout }, (request, response) => this.#receive(request, response));
    this.#server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      // A body that was announced and then refused may or may not come: only a new connection is sure.
      response.setHeader('connection', 'close');
      this.#receive(request, response);
    });
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#refuse(error, socket as Socket));
  }

  /** What was already read from the socket must have been put back. */
  adopt(id: string, socket: Socket): HttpConnection {
    const connection = new HttpConnection(id, 'control', socket, this.#context, this.#api);
    this.#connections.set(socket, connection);
    this.#server.emit('connection', socket);
    return connection;
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    this.#connections.get(request.socket)?.receive(request, response);
  }

  #refuse(error: NodeJS.ErrnoException, socket: Socket): void {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    this.#connections.get(socket)?.cutOff(refusalOf(error));
  }
}

function refusalOf(error: NodeJS.ErrnoException): HostError {
  if (error.code === 'HPE_HEADER_OVERFLOW') {
    return new HostError('payload_too_large', `The request's head is larger than ${String(maxHeaderSize)} bytes.`, { limit: 'request head', maximum: maxHeaderSize });
  }
  return new HostError('invalid_request', `The request is not HTTP/1.1: ${error.message}.`, { expected: 'HTTP/1.1, or JSON-RPC 2.0 in lines' });
}
