// An MCP client on the control socket, as `nagaya mcp` passes it on: after a first line that says so, the bytes are the
// client's frames, and go to the MCP thread as they are.
import type { Socket } from 'node:net';
import type { HostError } from '../../../protocol/errors.ts';
import { encodeRefusal } from '../../../protocol/json-rpc.ts';
import { type Connection, noticeDeparture, partFrom, partOnceRead } from '../connection.ts';
import type { ControlContext } from '../control-context.ts';
import type { LineClient, McpGateway } from '../../mcp/mcp-gateway.ts';

/** More than this on its way to the thread, and nothing more is read from the client. */
const windowBytes = 1024 * 1024;

export class McpConnection implements Connection, LineClient {
  readonly unfinished = undefined;
  readonly #socket: Socket;
  readonly #context: ControlContext;
  readonly #lines: ReturnType<McpGateway['openLines']>;
  #onTheWay = 0;
  #gone = false;

  /** `callsItself`: the peer makes plain calls itself. */
  constructor(socket: Socket, context: ControlContext, gateway: McpGateway, callsItself: boolean) {
    this.#socket = socket;
    this.#context = context;
    this.#lines = gateway.openLines(this, callsItself);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('drain', () => this.#goOn());
    socket.on('end', () => {
      if (this.#gone) return;
      this.#lines.ended();
      noticeDeparture(socket);
    });
    socket.on('close', () => this.#leave());
  }

  // What the server asks.

  cutOff(reason: HostError): void {
    if (!this.#gone) this.#socket.write(`${encodeRefusal(null, reason)}\n`);
    this.#leave();
    partFrom(this.#socket);
  }

  finish(): void {
    if (!this.#gone) this.#lines.ended();
  }

  // What the thread asks.

  write(text: string): void {
    if (this.#gone) return;
    this.#socket.write(text);
    if (this.#socket.writableLength > this.#context.limits.answerBytes) {
      this.#context.tally.connectionsCutOff += 1;
      this.#context.log.warn({ reason: 'answers_unread' }, 'cut a connection off');
      this.#leave();
      this.#socket.destroy();
    } else if (this.#socket.writableNeedDrain) {
      this.#socket.pause();
    }
  }

  taken(bytes: number): void {
    this.#onTheWay -= bytes;
    this.#goOn();
  }

  close(): void {
    if (this.#gone) return;
    this.#leave();
    partOnceRead(this.#socket);
  }

  #receive(bytes: Buffer): void {
    if (this.#gone) return;
    this.#onTheWay += bytes.length;
    // The chunk may be a part of memory that others use.
    this.#lines.push(new Uint8Array(bytes));
    if (this.#onTheWay > windowBytes) this.#socket.pause();
  }

  #goOn(): void {
    if (!this.#gone && this.#onTheWay <= windowBytes && !this.#socket.writableNeedDrain) this.#socket.resume();
  }

  #leave(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#lines.gone();
  }
}
