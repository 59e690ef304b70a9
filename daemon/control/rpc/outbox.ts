// The writer of a connection: all answers of one turn of the event loop leave in one write, and what the peer has not
// read is measured, so that reading from it can stop before memory grows.
import type { Socket } from 'node:net';
import type { SentJson } from '../../../protocol/json-rpc.ts';
import { failpoint } from '../../files/failpoints.ts';

const usuallyFullAbove = 1024 * 1024;

export interface OutboxListener {
  /** Comes once after it was full. */
  roomAgain(): void;
  /** The peer has left more unread than it may. */
  overflow(): void;
}

export class Outbox {
  readonly #socket: Socket;
  readonly #maxLength: number;
  readonly #fullAbove: number;
  readonly #listener: OutboxListener;
  /** What leaves with the end of this turn: pieces, then a text that is still growing. */
  #pieces: Uint8Array[] = [];
  #pieceBytes = 0;
  #text = '';
  /** Handed to the socket and not yet taken by the peer. */
  #unread = 0;
  /** Set aside for an answer that is being put together. */
  #reserved = 0;
  #wasFull = false;
  #closed = false;

  constructor(socket: Socket, maxLength: number, listener: OutboxListener) {
    this.#socket = socket;
    this.#maxLength = maxLength;
    this.#fullAbove = Math.min(usuallyFullAbove, maxLength / 2);
    this.#listener = listener;
    socket.on('drain', () => {
      this.#unread = socket.writableLength;
      this.#offerRoom();
    });
  }

  get full(): boolean {
    return this.#waiting + this.#unread > this.#fullAbove;
  }

  add(line: SentJson): void {
    if (this.#closed) return;
    this.#schedule();
    this.#put('', line, '\n');
    this.#checkBound();
  }

  /** One line of several. */
  addList(items: readonly SentJson[]): void {
    if (this.#closed) return;
    this.#schedule();
    for (const [index, item] of items.entries()) this.#put(index === 0 ? '[' : ',', item, '');
    this.#text += ']\n';
    this.#checkBound();
  }

  /** Counts against the bound what will be added later. */
  reserve(length: number): void {
    this.#reserved += length;
    this.#checkBound();
  }

  readonly #flush = (): void => {
    if (this.#waiting === 0) return;
    const pieces = this.#take();
    if (failpoint('socket-error') !== undefined) {
      const bytes = Buffer.concat(pieces);
      this.#socket.write(bytes.subarray(0, bytes.length / 2), () =>
        this.#socket.destroy(new Error('ordered by the failpoint socket-error')),
      );
      return;
    }
    this.#write(pieces);
    this.#unread = this.#socket.writableLength;
    this.#offerRoom();
  };

  /** What was added goes out; nothing more is taken. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#write(this.#take());
  }

  get #waiting(): number {
    return this.#pieceBytes + this.#text.length;
  }

  #schedule(): void {
    if (this.#waiting === 0) setImmediate(this.#flush);
  }

  #put(before: string, json: SentJson, after: string): void {
    if (typeof json === 'string') {
      this.#text += `${before}${json}${after}`;
      return;
    }
    const { head, bytes, tail } = json;
    this.#text += before + head;
    this.#cut();
    if (bytes !== undefined) this.#piece(bytes);
    this.#text = tail + after;
  }

  /** As bytes, which is what the socket then counts. */
  #cut(): void {
    if (this.#text !== '') this.#piece(Buffer.from(this.#text));
    this.#text = '';
  }

  #piece(bytes: Uint8Array): void {
    this.#pieces.push(bytes);
    this.#pieceBytes += bytes.length;
  }

  #take(): readonly Uint8Array[] {
    this.#cut();
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#pieceBytes = 0;
    return pieces;
  }

  /** All at once, uncopied. */
  #write(pieces: readonly Uint8Array[]): void {
    if (pieces.length > 1) this.#socket.cork();
    for (const piece of pieces) this.#socket.write(piece);
    if (pieces.length > 1) this.#socket.uncork();
  }

  #checkBound(): void {
    const length = this.#waiting + this.#unread;
    if (length > this.#fullAbove) this.#wasFull = true;
    if (length + this.#reserved > this.#maxLength && !this.#closed) this.#listener.overflow();
  }

  #offerRoom(): void {
    if (!this.#wasFull || this.#closed || this.full) return;
    this.#wasFull = false;
    this.#listener.roomAgain();
  }
}
