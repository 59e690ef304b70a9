// Closes connections that say nothing, and those that leave their answer unread: both cost their peer nothing and would
// otherwise take a place for ever.
import type { Socket } from 'node:net';
import { awakeTime } from '../../time/awake-time.ts';

interface Looked {
  readonly unread: number;
  readonly sinceMs: number;
}

const slowestSweepMs = 1000;

export class IdleWatch {
  readonly #limitMs: number;
  readonly #sockets: () => Iterable<Socket>;
  readonly #looked = new WeakMap<Socket, Looked>();
  #timer: NodeJS.Timeout | undefined;

  constructor(limitMs: number, sockets: () => Iterable<Socket>) {
    this.#limitMs = limitMs;
    this.#sockets = sockets;
  }

  start(): void {
    this.#timer = setInterval(() => this.#sweep(awakeTime.nowMs()), Math.min(slowestSweepMs, this.#limitMs / 4));
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #sweep(nowMs: number): void {
    for (const socket of this.#sockets()) {
      const unread = socket.writableLength;
      const looked = this.#looked.get(socket);
      if (socket.bytesRead > 0 && unread === 0) this.#looked.delete(socket);
      else if (looked?.unread !== unread) this.#looked.set(socket, { unread, sinceMs: nowMs });
      else if (nowMs - looked.sinceMs >= this.#limitMs) socket.destroy();
    }
  }
}
