// A command that follows something ends by Ctrl-C, which is how it is meant to end, or by the daemon's end, which is
// told. It listens from the beginning: what it has printed must not be a promise it cannot keep yet.
import type { Client } from '../../protocol/client/client.ts';
import { HostError } from '../../protocol/errors.ts';

const signals = ['SIGINT', 'SIGTERM'] as const;

export class Interruption {
  readonly #interrupted: Promise<true>;
  #interrupt = (): void => undefined;

  constructor() {
    this.#interrupted = new Promise((resolve) => {
      this.#interrupt = () => resolve(true);
    });
    for (const signal of signals) process.once(signal, this.#interrupt);
  }

  /** Returns at Ctrl-C; throws when the daemon is gone first. */
  async wait(client: Client): Promise<void> {
    const interrupted = await Promise.race([this.#interrupted, client.closed]);
    // A second Ctrl-C must end what is left of the command.
    for (const signal of signals) process.removeListener(signal, this.#interrupt);
    if (interrupted !== true) throw new HostError('connection_closed', 'The daemon closed the connection.');
  }
}
