// Takes messages from a cell's port a bounded number at a time: without this a flood would hold the host's event
// loop for as long as it lasts.
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';

export class BoundedPort {
  readonly #port: MessagePort;
  readonly #perTurn: number;
  readonly #receive: (message: unknown) => void;
  #taken = 0;
  #turnEnds = false;
  #closed = false;

  constructor(port: MessagePort, perTurn: number, receive: (message: unknown) => void) {
    this.#port = port;
    this.#perTurn = perTurn;
    this.#receive = receive;
    port.on('message', this.#onMessage);
  }

  readonly #onMessage = (message: unknown): void => {
    this.#taken += 1;
    if (!this.#turnEnds) {
      this.#turnEnds = true;
      setImmediate(this.#endTurn);
    }
    if (this.#taken === this.#perTurn) this.#port.off('message', this.#onMessage);
    this.#receive(message);
  };

  readonly #endTurn = (): void => {
    const paused = this.#taken >= this.#perTurn;
    this.#taken = 0;
    this.#turnEnds = false;
    if (paused && !this.#closed) this.#port.on('message', this.#onMessage);
  };

  /** Everything posted up to now, at once. */
  drain(): void {
    if (this.#closed) return;
    for (let next = receiveMessageOnPort(this.#port); next !== undefined; next = receiveMessageOnPort(this.#port))
      this.#receive(next.message);
  }

  close(): void {
    this.#closed = true;
    this.#port.off('message', this.#onMessage);
    this.#port.close();
  }
}
