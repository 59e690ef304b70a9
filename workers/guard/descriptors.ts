// The file descriptors of a thread cell. All threads share the daemon's: a plugin that closes or writes to one that it
// did not open itself would hit the daemon's sockets, so that only its own are let through. Standard output is the
// plugin's log here, and there is no standard input.
import { Denied, processIsolation } from './denial.ts';

/** Far more than a plugin needs at once, and too few to use up the daemon's. */
const mostDescriptors = 1000;

const { apply } = Reflect;
// A plugin that patches these hurts only itself.
const weakRefDeref = WeakRef.prototype.deref;
const { has: weakSetHas, add: weakSetAdd, delete: weakSetDelete } = WeakSet.prototype;

/**
 * `true`: until it is closed by its number. A file handle owns its number only while it exists: Node closes it with the
 * handle.
 */
type Owner = true | WeakRef<object>;

const own = Object.create(null) as Record<number, Owner | undefined>;
const counted = new WeakSet();
let files = 0;
let handles = 0;
let release: ((handle: object) => void) | undefined;

interface Collected {
  readonly descriptor: number;
  readonly owner: Owner;
}

const collectedFiles = new FinalizationRegistry<Collected>(({ descriptor, owner }) => {
  if (own[descriptor] === owner) closed(descriptor);
});
const collectedHandles = new FinalizationRegistry(() => {
  handles -= 1;
});
const { register, unregister } = FinalizationRegistry.prototype;

export const isDescriptor = (value: unknown): value is number => typeof value === 'number';

/** How many descriptors this cell has open now: files, folders, sockets and pipes. */
export const openDescriptors = (): number => files + handles;

export function requireRoom(): void {
  if (openDescriptors() >= mostDescriptors)
    throw new Denied(
      'Opening another file',
      `${String(mostDescriptors)} descriptors are open already, and all cells share the daemon's`,
      `Close what is done with, or use "isolation": "process" in plugin.json.`,
    );
}

export function opened(descriptor: number, owner: Owner = true): void {
  if (own[descriptor] === undefined) files += 1;
  own[descriptor] = owner;
}

/** A file handle that is collected as garbage gives its number back, and the daemon may be the next to get it. */
export function openedBy(handle: object, descriptor: number): void {
  const owner = new WeakRef(handle);
  opened(descriptor, owner);
  apply(register, collectedFiles, [handle, { descriptor, owner } satisfies Collected]);
}

export function closed(descriptor: number): void {
  if (own[descriptor] === undefined) return;
  files -= 1;
  own[descriptor] = undefined;
}

/**
 * The number is being closed, or goes to something else that closes it. A file handle that still has it would close it
 * once more when it is collected as garbage, and the daemon may have the number by then.
 */
export function givenAway(descriptor: number): void {
  const owner = own[descriptor];
  closed(descriptor);
  const handle = owner === undefined || owner === true ? undefined : (apply(weakRefDeref, owner, []) as object);
  if (handle !== undefined) release?.(handle);
}

/** `release` takes the number from a file handle without closing it. */
export function releaseHandlesBy(how: (handle: object) => void): void {
  release = how;
}

export function isOwn(descriptor: number): boolean {
  const owner = own[descriptor];
  return owner !== undefined && (owner === true || apply(weakRefDeref, owner, []) !== undefined);
}

/** Counts what has a descriptor without telling its number to the plugin: a socket, a pipe, a folder. */
export function openedHandle(handle: object): void {
  if (apply(weakSetHas, counted, [handle])) return;
  apply(weakSetAdd, counted, [handle]);
  handles += 1;
  // Only a folder is ever collected open: Node keeps sockets and pipes until they are closed.
  apply(register, collectedHandles, [handle, undefined, handle]);
}

export function closedHandle(handle: object): void {
  if (!apply(weakSetDelete, counted, [handle])) return;
  handles -= 1;
  apply(unregister, collectedHandles, [handle]);
}

export function requireOwn(descriptor: number, what: string): void {
  if (isOwn(descriptor)) return;
  const why =
    descriptor === 0
      ? 'a cell has no standard input'
      : "the plugin did not open it, so that it is the daemon's or a neighbour's";
  throw new Denied(`${what} of descriptor ${String(descriptor)}`, why, processIsolation);
}

/** Where the output of a plugin goes that writes to a descriptor by its number. */
export function outputOf(descriptor: number): NodeJS.WriteStream | undefined {
  return descriptor === 1 ? process.stdout : descriptor === 2 ? process.stderr : undefined;
}
