// The daemon's own log goes to a descriptor that somebody else reads: a terminal, a pipe, a service manager. It is
// made never to wait for that reader, because a write that waits sits in a thread of the pool, and with it the
// daemon could not even exit.
import { close, constants, fstatSync, openSync, write } from 'node:fs';
import { isatty } from 'node:tty';
import { promisify } from 'node:util';
import type { LineTarget } from './line-writer.ts';

const writeBytes = promisify(write);
const closeDescriptor = promisify(close);

export class LogDescriptor implements LineTarget {
  readonly #descriptor: number;
  readonly #own: boolean;

  constructor(destination: number) {
    const unblocked = unblock(destination);
    this.#descriptor = unblocked ?? destination;
    this.#own = unblocked !== undefined;
  }

  async write(chunk: Buffer, offset: number): Promise<number> {
    try {
      return (await writeBytes(this.#descriptor, chunk, offset, chunk.length - offset, null)).bytesWritten;
    } catch (error) {
      // The reader is slow: no fault, and the writer keeps what is left.
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.#own) await closeDescriptor(this.#descriptor);
  }
}

/** Makes writes answer "not now" instead of waiting; where that needs it, by a descriptor of our own for the same place. */
function unblock(destination: number): number | undefined {
  if (fstatSync(destination).isFile()) return undefined;
  const nodeStream = isatty(destination) ? undefined : { 1: () => process.stdout, 2: () => process.stderr }[destination];
  if (nodeStream !== undefined) {
    // Node makes a pipe or socket non-blocking when it makes its stream of it, and restores it when the process ends.
    nodeStream();
    return undefined;
  }
  try {
    return openSync(`/dev/fd/${String(destination)}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    // A socket, or a system without these names: it is written to as it is.
    return undefined;
  }
}
