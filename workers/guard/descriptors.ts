// The file descriptors of a thread cell. All threads share the daemon's: a plugin that closes or writes to one that it
// did not open itself would hit the daemon's sockets, so that only its own are let through. Standard output is the
// plugin's log here, and there is no standard input.
import { Denied, processIsolation } from './denial.ts';

/** Far more than a plugin needs at once, and too few to use up the daemon's. */
const mostDescriptors = 1000;

const own = new Set<number>();

export const isDescriptor = (value: unknown): value is number => typeof value === 'number';

export function requireRoom(): void {
  if (own.size >= mostDescriptors) throw new Denied('Opening another file', `${String(mostDescriptors)} descriptors are open already, and all cells share the daemon's`, `Close what is done with, or use "isolation": "process" in plugin.json.`);
}

export function opened(descriptor: number): void {
  own.add(descriptor);
}

export function closed(descriptor: number): void {
  own.delete(descriptor);
}

export function requireOwn(descriptor: number, what: string): void {
  if (own.has(descriptor)) return;
  const why = descriptor === 0 ? 'a cell has no standard input' : 'the plugin did not open it, so that it is the daemon\'s or a neighbour\'s';
  throw new Denied(`${what} of descriptor ${String(descriptor)}`, why, processIsolation);
}

/** Where the output of a plugin goes that writes to a descriptor by its number. */
export function outputOf(descriptor: number): NodeJS.WriteStream | undefined {
  return descriptor === 1 ? process.stdout : descriptor === 2 ? process.stderr : undefined;
}
