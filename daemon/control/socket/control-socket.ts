// The control socket as its server has it. A daemon without a guardian claims the path and binds the socket itself.
import { once } from 'node:events';
import type { Server } from 'node:net';
import { SocketPlace, unusable } from './socket-place.ts';

/** What a control server listens on, whoever made it. */
export interface ControlListener {
  /** From here on nobody is accepted any more. */
  stopAccepting(): void;
  /** Never throws: it is called when the daemon ends, however it ends. */
  release(): void;
}

/** Begins to listen with the server; `prepare` runs before the first client can come. */
export type ListenOnControl = (server: Server, prepare: () => Promise<void>) => Promise<ControlListener>;

export class ControlSocket implements ControlListener {
  readonly #place: SocketPlace;
  readonly #server: Server;

  private constructor(place: SocketPlace, server: Server) {
    this.#place = place;
    this.#server = server;
  }

  /** `prepare` runs between the lock and the socket. Throws `already_running` and `socket_unusable`. */
  static readonly listenAt =
    (path: string): ListenOnControl =>
    async (server, prepare) => {
      const place = await SocketPlace.claim(path);
      const socket = new ControlSocket(place, server);
      try {
        await prepare();
        await socket.#bind();
        return socket;
      } catch (error) {
        place.release();
        throw error;
      }
    };

  /** Closing a server removes whatever lies at its path: one that is no longer ours is left open, and unused. */
  stopAccepting(): void {
    if (this.#place.look() === 'ours') this.#server.close();
    else this.#server.unref();
  }

  release(): void {
    this.#place.release();
  }

  async #bind(): Promise<void> {
    const listening = once(this.#server, 'listening');
    // The socket is bound before this returns; only the event comes later.
    this.#place.make(() => this.#server.listen(this.#place.path));
    try {
      await listening;
    } catch (error) {
      throw unusable(this.#place.path, (error as NodeJS.ErrnoException).code ?? 'unknown', 'cannot be listened on');
    }
    try {
      this.#place.confirm();
    } catch (error) {
      this.#server.close();
      throw error;
    }
  }
}
