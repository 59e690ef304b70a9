// A socket that is bound and does not listen yet: whoever is given its descriptor begins to listen, and it goes on
// listening for as long as anybody has it open. It is what Node's `cluster` shares between processes; Node does not
// document it.
import net from 'node:net';
import { portUnusable } from '../control/browser/port.ts';

export interface BoundHandle {
  close(): void;
  unref(): void;
  readonly fd: number;
  getsockname?(out: { address?: string; port?: number }): number;
}

/** Answers the handle, or the number of libuv's error. */
type CreateServerHandle = (
  address: string | null,
  port: number,
  addressType: -1 | 4 | 6,
  fd?: number,
  flags?: number,
) => BoundHandle | number;

// Not part of @types/node; stable since Node 0.8, because `cluster` is built on it.
const { _createServerHandle: createServerHandle } = net as unknown as {
  readonly _createServerHandle: CreateServerHandle;
};

export const bindPath = (path: string): BoundHandle | number => createServerHandle(path, -1, -1);

/** A socket that another process has bound. */
export const openDescriptor = (descriptor: number): BoundHandle | number => createServerHandle(null, 0, -1, descriptor);

/** Throws `port_unusable`. */
export function bindPort(address: string, port: number, reasonOf: (errno: number) => string): BoundHandle {
  const bound = createServerHandle(address, port, net.isIPv6(address) ? 6 : 4);
  if (typeof bound === 'number') throw portUnusable(address, port, reasonOf(bound));
  // That an address is taken is told by libuv only when somebody listens, and then not to another process.
  const name: { port?: number } = {};
  bound.getsockname?.(name);
  if ((name.port ?? 0) === 0) {
    bound.close();
    throw portUnusable(address, port, 'EADDRINUSE');
  }
  return bound;
}
