// Errors of the daemon itself that nobody foresaw: told with their stack, counted, and survived, for ending the daemon
// would end every neighbour with it.
import type { Logger } from '../telemetry/daemon-log.ts';

export class HostFaults {
  readonly #log: Logger;
  #count = 0;

  constructor(log: Logger) {
    this.#log = log;
    process.on('uncaughtException', this.#onFault);
    process.on('unhandledRejection', this.#onFault);
  }

  get count(): number {
    return this.#count;
  }

  stop(): void {
    process.off('uncaughtException', this.#onFault);
    process.off('unhandledRejection', this.#onFault);
  }

  readonly #onFault = (thrown: unknown): void => {
    this.#count += 1;
    this.#log.error(
      { fault: thrown instanceof Error ? thrown.stack : String(thrown) },
      'the daemon met an error it did not foresee',
    );
  };
}
