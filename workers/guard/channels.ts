// The names that threads of one process meet under, kept to the threads of one plugin: all cells share the daemon's
// process, and two plugins that happen to use the same name would get each other's messages.
import workerThreads from 'node:worker_threads';
import { replace } from './denial.ts';

const { apply, construct } = Reflect;

let plugin = '';

/** Before the plugin is imported. Ids hold no colon, so that no two plugins' names are the same. */
export function nameChannelsFor(pluginId: string): void {
  plugin = pluginId;
}

/** Whose threads meet; for threads that the plugin starts itself. */
export const channelsOf = (): string => plugin;

const own = (name: unknown): string => `${plugin}:${String(name)}`;

export function shieldChannels(): void {
  const Original = workerThreads.BroadcastChannel;
  const nameOf = Object.getOwnPropertyDescriptor(Original.prototype, 'name')?.get as (this: object) => string;
  const BroadcastChannel = function (this: unknown, ...args: unknown[]): object {
    if (new.target === undefined)
      throw new TypeError("Class constructor BroadcastChannel cannot be invoked without 'new'");
    return construct(Original, args.length === 0 ? [] : [own(args[0])], new.target) as object;
  };
  BroadcastChannel.prototype = Original.prototype as object;
  Object.setPrototypeOf(BroadcastChannel, Object.getPrototypeOf(Original) as object);
  Object.defineProperty(Original.prototype, 'constructor', {
    value: BroadcastChannel,
    writable: true,
    configurable: true,
  });
  Object.defineProperty(Original.prototype, 'name', {
    get(this: object) {
      return apply(nameOf, this, []).slice(plugin.length + 1);
    },
    configurable: true,
    enumerable: true,
  });
  replace(workerThreads, 'BroadcastChannel', BroadcastChannel);
  Object.defineProperty(globalThis, 'BroadcastChannel', {
    value: BroadcastChannel,
    writable: true,
    configurable: true,
  });
  shieldLocks();
}

interface LockManager {
  request(name: string, ...rest: unknown[]): unknown;
  query(): Promise<{ held?: { name: string }[]; pending?: { name: string }[] }>;
}

/** Newer Nodes have locks by name, which all threads share too. */
function shieldLocks(): void {
  const locks = (globalThis as { navigator?: { locks?: LockManager } }).navigator?.locks;
  if (locks === undefined) return;
  const prototype = Object.getPrototypeOf(locks) as LockManager;
  const { request, query } = prototype;
  replace(prototype, 'request', function (this: LockManager, name: unknown, ...rest: unknown[]) {
    const granted: unknown = apply(request as (...args: unknown[]) => unknown, this, [own(name), ...rest]);
    return granted;
  });
  replace(prototype, 'query', async function (this: LockManager) {
    const { held = [], pending = [] } = await apply(query, this, []);
    const mine = (list: { name: string }[]): { name: string }[] =>
      list
        .filter(({ name }) => name.startsWith(own('')))
        .map((lock) => ({ ...lock, name: lock.name.slice(plugin.length + 1) }));
    return { held: mine(held), pending: mine(pending) };
  });
}
