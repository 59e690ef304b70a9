// The daemon's own log goes to a descriptor that somebody else reads: a terminal, a pipe, a service manager. A write
// must never wait for that reader: it would sit in a thread of the pool, and the daemon could not even exit. So the
// descriptor is made to answer "not now" instead. For a socket, another program that shares it can undo that between
// two steps of a write; a write that waits all the same is ended by `close`.
import { close, constants, fstatSync, openSync, write, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { isatty } from 'node:tty';
import { promisify } from 'node:util';
import type { LineTarget } from './line-writer.ts';

const writeBytes = promisify(write);
const closeDescriptor = promisify(close);

export class LogDescriptor implements LineTarget {
  readonly #descriptor: number;
  readonly #reopened: boolean;
  readonly #stream: NodeStream | undefined;
  /** A write sits in a thread of the pool. */
  #writing = false;

  constructor(destination: number) {
    const ours = reopen(destination);
    this.#descriptor = ours ?? destination;
    this.#reopened = ours !== undefined;
    this.#stream = this.#reopened ? undefined : streamOf(destination);
  }

  async write(chunk: Buffer, offset: number): Promise<number> {
    // Every time: a child process that inherits the descriptor makes it wait again, for us as well.
    this.#stream?._handle?.setBlocking?.(false);
    try {
      // With a mode of its own it never waits, and needs no thread of libuv's pool, which a plugin may have filled.
      if (this.#reopened) return writeSync(this.#descriptor, chunk, offset, chunk.length - offset, null);
      this.#writing = true;
      return (await writeBytes(this.#descriptor, chunk, offset, chunk.length - offset, null)).bytesWritten;
    } catch (error) {
      // The reader is slow, which is no fault: what is left is kept and tried again.
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
      throw error;
    } finally {
      this.#writing = false;
    }
  }

  /** After it the process can exit. */
  async close(): Promise<void> {
    if (this.#reopened) await closeDescriptor(this.#descriptor);
    // Nothing else wakes the thread: whoever shares the socket cannot write to it any more either.
    else if (this.#writing) await new Promise<void>((resolve) => this.#stream?.end(resolve) ?? resolve());
  }
}

/**
 * The same terminal or pipe once more, with a mode of its own: that of the given descriptor is shared with every
 * program that has it too. Only Linux can, and not for sockets; a file on disk needs none of it.
 */
function reopen(destination: number): number | undefined {
  if (fstatSync(destination).isFile()) return undefined;
  try {
    return openSync(
      `/proc/self/fd/${String(destination)}`,
      constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY,
    );
  } catch {
    // Not to be had here: the stream that Node makes of it has to do.
    return undefined;
  }
}

/** What Node's own streams have underneath, and does not document: the only way to the mode of a socket. */
interface NodeStream {
  end(ended: () => void): unknown;
  readonly _handle?: { setBlocking?(on: boolean): unknown } | null;
}

/** Not for a terminal, whose stream would set it to wait, nor for a file. */
function streamOf(destination: number): NodeStream | undefined {
  if (isatty(destination) || fstatSync(destination).isFile()) return undefined;
  if (destination === 2) return process.stderr;
  if (destination === 1) return process.stdout;
  return new Socket({ fd: destination, readable: false, writable: true }).on('error', () => undefined).unref();
}
