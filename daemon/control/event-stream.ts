// An answer that goes on: server-sent events. What the reader does not take stays in the subscription's own bounded
// buffer, for a push is refused until the socket has drained.
import type { ServerResponse } from 'node:http';
import type { FeedNotification } from '../../protocol/operations/telemetry.ts';

export const heartbeatMs = 15_000;

export class EventStream {
  readonly #response: ServerResponse;
  #open = false;
  #blocked = false;

  /** `roomAgain` is called when pushes that were refused may be tried again. */
  constructor(response: ServerResponse, roomAgain: () => void) {
    this.#response = response;
    response.on('drain', () => {
      this.#blocked = false;
      roomAgain();
    });
  }

  /** Until now the answer could still be a refusal. */
  open(): void {
    if (this.#ended) return;
    this.#open = true;
    this.#response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'x-accel-buffering': 'no' });
    this.#write(': open\n\n');
    const heartbeat = setInterval(() => {
      if (!this.#blocked && !this.#ended) this.#write(': still here\n\n');
    }, heartbeatMs);
    this.#response.once('close', () => clearInterval(heartbeat));
  }

  push(notification: FeedNotification): boolean {
    if (!this.#open || this.#blocked || this.#ended) return false;
    this.#write(`id: ${String(notification.sequence)}\nevent: ${notification.event.topic}\ndata: ${JSON.stringify(notification)}\n\n`);
    return true;
  }

  end(): void {
    this.#response.end();
  }

  get #ended(): boolean {
    return this.#response.writableEnded || this.#response.destroyed;
  }

  #write(text: string): void {
    this.#blocked = !this.#response.write(text);
  }
}
