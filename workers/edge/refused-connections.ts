// Connections that are over because of what came on them: too large, or no HTTP. The sender has been told why, nothing
// more of it is read, and it is cut a moment later. Who floods on so many connections comes back no faster than that,
// and what floods is left in its own buffers, so that the neighbours on this machine do not pay for it.
import type { Socket } from 'node:net';

/** So long the sender can read why, before the connection is cut. */
const graceMs = 250;

export class RefusedConnections {
  readonly #most: number;
  readonly #kept = new Set<Socket>();

  /** `most`: beyond it a connection is cut at once, so that those that are over take no place from others. */
  constructor(most: number) {
    this.#most = most;
  }

  /** What is written to it already is still sent. */
  add(socket: Socket): void {
    if (this.#kept.has(socket)) return;
    if (this.#kept.size >= this.#most) {
      socket.destroySoon();
      return;
    }
    socket.pause();
    this.#kept.add(socket);
    const cut = setTimeout(() => socket.destroy(), graceMs).unref();
    socket.once('close', () => {
      clearTimeout(cut);
      this.#kept.delete(socket);
    });
  }
}
