// A connection that has not said a word yet: it may keep silent for as long as it likes, and its first byte decides
// what it becomes.
import type { Socket } from 'node:net';
import type { HostError } from '../../../protocol/errors.ts';
import { type Connection, partOnceRead } from '../connection.ts';
import { type Language, languageOf } from './first-byte.ts';

export class OpeningConnection implements Connection {
  readonly unfinished = undefined;
  readonly #socket: Socket;
  #finished = false;

  /** `spoken` gets the socket paused, with all it said put back. */
  constructor(socket: Socket, spoken: (language: Language) => void) {
    this.#socket = socket;
    const ended = (): void => {
      socket.end();
    };
    const listen = (chunk: Buffer): void => {
      const language = languageOf(chunk);
      if (language === undefined || this.#finished) return;
      socket.off('data', listen);
      socket.off('end', ended);
      socket.pause();
      socket.unshift(chunk);
      spoken(language);
    };
    socket.on('data', listen);
    socket.on('end', ended);
  }

  /** Nothing was asked, so that there is nothing to answer. */
  cutOff(_reason: HostError): void {
    this.#socket.destroy();
  }

  finish(): void {
    this.#finished = true;
    partOnceRead(this.#socket);
  }
}
