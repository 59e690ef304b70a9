// The connections of one listener, and how they end when it does: what is pending is answered, and at the deadline
// nobody is waited for.
import type { Socket } from 'node:net';
import type { Connection } from '../connection.ts';
import { awakeTime } from '../../time/awake-time.ts';

export class OpenConnections {
  readonly #open = new Map<Socket, Connection>();
  #emptied: (() => void) | undefined;

  get size(): number {
    return this.#open.size;
  }

  values(): Iterable<Connection> {
    return this.#open.values();
  }

  sockets(): Iterable<Socket> {
    return this.#open.keys();
  }

  /** A socket stands for its newest connection: what it said first decides what that is. */
  set(socket: Socket, connection: Connection): void {
    if (!this.#open.has(socket)) socket.once('close', () => this.#closed(socket));
    this.#open.set(socket, connection);
  }

  async finish(deadlineMs: number): Promise<void> {
    const emptied = new Promise<void>((resolve) => (this.#emptied = resolve));
    const deadline = awakeTime.after(deadlineMs, () => {
      for (const socket of this.#open.keys()) socket.destroy();
    });
    for (const connection of [...this.#open.values()]) connection.finish();
    if (this.#open.size > 0) await emptied;
    deadline.cancel();
  }

  #closed(socket: Socket): void {
    this.#open.delete(socket);
    if (this.#open.size === 0) this.#emptied?.();
  }
}
