// A connection that has begun with an exclamation mark: its first line says what comes behind it.
import type { Socket } from 'node:net';
import { HostError } from '../../../protocol/errors.ts';
import { encodeRefusal } from '../../../protocol/json-rpc.ts';
import { mcpCallsHead, mcpHead, mcpPlainHead } from '../../../protocol/mcp/first-line.ts';
import { type Connection, partFrom, partOnceRead } from '../connection.ts';

const heads = [mcpHead, mcpPlainHead, mcpCallsHead];
const mostBytes = 64;

export class McpOpening implements Connection {
  readonly unfinished = undefined;
  readonly #socket: Socket;
  readonly #spoken: (head: string) => void;
  #head = '';

  /** `spoken` gets the socket paused, with what came behind the first line put back. */
  constructor(socket: Socket, spoken: (head: string) => void) {
    this.#socket = socket;
    this.#spoken = spoken;
    socket.on('data', this.#listen);
    socket.on('end', this.#ended);
  }

  cutOff(reason: HostError): void {
    this.#silence();
    this.#socket.write(`${encodeRefusal(null, reason)}\n`);
    partFrom(this.#socket);
  }

  /** Nothing was asked, so that there is nothing to answer. */
  finish(): void {
    this.#silence();
    partOnceRead(this.#socket);
  }

  readonly #listen = (chunk: Buffer): void => {
    const end = chunk.indexOf('\n');
    this.#head += chunk.toString('latin1', 0, end === -1 ? Math.min(chunk.length, mostBytes) : end);
    const head = this.#head.trim();
    if (end === -1 ? heads.some((known) => known.startsWith(head)) : heads.includes(head)) {
      if (end === -1) return;
      this.#silence();
      this.#socket.pause();
      if (end + 1 < chunk.length) this.#socket.unshift(chunk.subarray(end + 1));
      this.#spoken(head);
      return;
    }
    this.cutOff(
      new HostError('invalid_request', `A connection for MCP begins with the line ${mcpHead}.`, { expected: mcpHead }),
    );
  };

  readonly #ended = (): void => {
    this.#socket.end();
  };

  #silence(): void {
    this.#socket.off('data', this.#listen);
    this.#socket.off('end', this.#ended);
  }
}
