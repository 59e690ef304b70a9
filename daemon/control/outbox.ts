// The writer of a connection: all answers of one turn of the event loop leave in one write, and what the peer has not
// read is measured, so that reading from it can stop before memory grows.
import type { Socket } from 'node:net';
import { failpoint } from '../failpoints.ts';

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
    return this.#text.length + this.#unread > this.#fullAbove;
  }

  add(line: string): void {
    if (this.#closed) return;
    if (this.#text === '') setImmediate(this.#flush);
    this.#text += `${line}\n`;
    this.#checkBound();
  }

  /** Counts against the bound what will be added later. */
  reserve(length: number): void {
    this.#reserved += length;
    this.#checkBound();
  }

  readonly #flush = (): void => {
    if (this.#text === '') return;
    // As bytes, which is what the socket then counts.
    const bytes = Buffer.from(this.#text);
    this.#text = '';
    if (failpoint('socket-error') !== undefined) {
      this.#socket.write(bytes.subarray(0, bytes.length / 2), () => this.#socket.destroy(new Error('ordered by the failpoint socket-error')));
      return;
    }
    this.#socket.write(bytes);
    this.#unread = this.#socket.writableLength;
    this.#offerRoom();
  };

  /** What was added goes out; nothing more is taken. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#text !== '') this.#socket.write(this.#text);
    this.#text = '';
  }

  #checkBound(): void {
    const length = this.#text.length + this.#unread;
    if (length > this.#fullAbove) this.#wasFull = true;
    if (length + this.#reserved > this.#maxLength && !this.#closed) this.#listener.overflow();
  }

  #offerRoom(): void {
    if (!this.#wasFull || this.#closed || this.full) return;
    this.#wasFull = false;
    this.#listener.roomAgain();
  }
}
