// An answer that goes on: server-sent events. Nothing is kept here for a reader that is slow: what it does not take is
// refused, and comes again from where it is kept within a bound.
import type { ServerResponse } from 'node:http';
import { encodeJson } from '../../../protocol/json-rpc.ts';

export const heartbeatMs = 15_000;

export interface StreamedEvent {
  /** What a reader that comes back has seen; absent where it is no place to go on from. */
  readonly id?: string | undefined;
  readonly event: string;
  readonly data: unknown;
}

export class EventStream {
  readonly #response: ServerResponse;
  readonly #roomAgain: (() => void)[] = [];
  readonly #over: (() => void)[] = [];
  #open = false;
  #ending = false;
  #blocked = false;

  constructor(response: ServerResponse) {
    this.#response = response;
    response.on('drain', () => {
      this.#blocked = false;
      for (const tell of this.#roomAgain) tell();
    });
    response.once('close', () => {
      for (const tell of this.#over) tell();
    });
  }

  get ended(): boolean {
    return this.#response.writableEnded || this.#response.destroyed;
  }

  /** Events that were refused may be sent again: after the opening, and whenever the reader has caught up. */
  onRoom(tell: () => void): void {
    this.#roomAgain.push(tell);
  }

  /** The reader has gone, or the stream was ended. */
  onOver(tell: () => void): void {
    if (this.ended) tell();
    else this.#over.push(tell);
  }

  /** Until now the answer could still be a refusal. */
  open(): void {
    if (this.ended) return;
    this.#open = true;
    this.#response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-accel-buffering': 'no',
    });
    this.#write(': open\n\n');
    const heartbeat = setInterval(() => {
      if (!this.#blocked && !this.ended) this.#write(': still here\n\n');
    }, heartbeatMs);
    this.#response.once('close', () => clearInterval(heartbeat));
    if (this.#ending) this.#response.end();
    else for (const tell of this.#roomAgain) tell();
  }

  /** Answers false for "not now". */
  send({ id, event, data }: StreamedEvent): boolean {
    if (!this.#open || this.#blocked || this.#ending || this.ended) return false;
    this.#write(`${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${encodeJson(data)}\n\n`);
    return true;
  }

  /** One that has not begun may still become a refusal, and else ends when it begins. */
  end(): void {
    this.#ending = true;
    if (this.#open) this.#response.end();
  }

  #write(text: string): void {
    this.#blocked = !this.#response.write(text);
  }
}
