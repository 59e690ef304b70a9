// Sockets, pipes, terminals and children of a thread cell: they take a descriptor by its number only where the plugin
// has opened it, and what they have open is counted.
import tty from 'node:tty';
import { Denied, processIsolation, replace } from './denial.ts';
import { closedHandle, givenAway, openedHandle, requireOwn } from './descriptors.ts';
import { type NativeClasses, type NativePrototype, nativeBinding, nativeClasses } from './native.ts';

type Method = (this: object, ...args: unknown[]) => unknown;

const { apply, construct } = Reflect;

/** With the first of these a socket gets a descriptor. */
const opening = ['bind', 'bind6', 'connect', 'connect6', 'send', 'send6'];

export function shieldHandles(natives: NativeClasses = nativeClasses()): void {
  for (const prototype of [natives.pipe, natives.tcp, natives.udp]) {
    around(
      prototype,
      'open',
      (open) =>
        function (descriptor) {
          return opensAsHandle(this, Number(descriptor) | 0, () => apply(open, this, [Number(descriptor) | 0]));
        },
    );
    for (const name of opening) {
      around(
        prototype,
        name,
        (act) =>
          function (...args) {
            const result = apply(act, this, args);
            openedHandle(this);
            return result;
          },
      );
    }
    // The base of all handles has it, and one of them may have got its own meanwhile.
    for (const name of ['close', 'reset']) {
      around(
        ownerOf(prototype, name),
        name,
        (close) =>
          function (...args) {
            closedHandle(this);
            return apply(close, this, args);
          },
      );
    }
  }
  countAccepted(natives.pipe);
  countAccepted(natives.tcp);
  shieldSpawning(natives.process);
  shieldTerminals();
}

const wrapped = new WeakSet();
const started = Object.create(null) as Record<number, true | undefined>;

/** A process of the plugin's own. Its number may have been given to another one since. */
export const isStarted = (pid: number): boolean => started[pid] === true;

function around(prototype: NativePrototype, name: string, instead: (original: Method) => Method): void {
  const original = prototype[name] as Method | undefined;
  if (original === undefined || wrapped.has(original)) return;
  const wrapper = instead(original);
  Object.defineProperties(wrapper, Object.getOwnPropertyDescriptors(original));
  wrapped.add(wrapper);
  replace(prototype, name, wrapper);
}

function ownerOf(prototype: NativePrototype, name: string): NativePrototype {
  for (
    let at: NativePrototype | null = prototype;
    at !== null;
    at = Object.getPrototypeOf(at) as NativePrototype | null
  ) {
    if (Object.hasOwn(at, name)) return at;
  }
  return prototype;
}

/**
 * From here on the descriptor is the handle's, which closes it at its own end: by its number it is nobody's any more.
 */
function opensAsHandle(handle: object, descriptor: number, open: () => unknown): unknown {
  requireOwn(descriptor, 'Using a socket, pipe or terminal');
  const result = open();
  // Nothing or 0: it was taken.
  if (result === undefined || result === 0) {
    givenAway(descriptor);
    openedHandle(handle);
  }
  return result;
}

/** Node has given a socket that is about to listen the function that takes its connections. */
function countAccepted(prototype: NativePrototype): void {
  around(
    prototype,
    'listen',
    (listen) =>
      function (...args) {
        const take: unknown = Reflect.get(this, 'onconnection');
        if (typeof take === 'function') {
          Reflect.set(this, 'onconnection', function (this: object, status: unknown, connection: unknown) {
            if (typeof connection === 'object' && connection !== null) openedHandle(connection);
            return apply(take as Method, this, [status, connection]);
          });
        }
        openedHandle(this);
        return apply(listen, this, args);
      },
  );
}

interface Stdio {
  readonly type?: unknown;
  readonly fd?: unknown;
  readonly handle?: object;
}

/** Whatever else it says, Node takes it for a descriptor by its number. */
const isByNumber = ({ type }: Stdio): boolean =>
  type !== 'ignore' && type !== 'pipe' && type !== 'overlapped' && type !== 'wrap';

/** Of the native spawn of Node 26: file, arguments, folder, environment, stdio, flags, user and group. */
const stdioPlace = 4;

function shieldSpawning(prototype: NativePrototype): void {
  around(
    prototype,
    'spawn',
    (spawn) =>
      function (...args) {
        // Up to Node 24 the options come as one object, from 26 on one after the other.
        const listed = typeof args[0] !== 'object';
        const stdio = listed ? args[stdioPlace] : (args[0] as { readonly stdio?: unknown }).stdio;
        // Each entry is read once: what is checked is what is used.
        const entries = Array.isArray(stdio) ? (stdio as Stdio[]).map((entry) => ({ ...entry })) : [];
        for (const entry of entries) {
          if (isByNumber(entry)) requireOwn(Number(entry.fd) | 0, 'Handing a child process a copy');
        }
        const checked = Array.isArray(stdio) ? entries : undefined;
        const result = apply(
          spawn,
          this,
          listed
            ? args.map((arg, place) => (place === stdioPlace ? checked : arg))
            : [{ ...(args[0] as object), stdio: checked }],
        );
        if (result === 0) started[Reflect.get(this, 'pid') as number] = true;
        for (const { type, handle } of entries) {
          if (result === 0 && handle !== undefined && (type === 'pipe' || type === 'overlapped')) openedHandle(handle);
        }
        return result;
      },
  );
}

type StreamClass = new (descriptor: number, options?: object) => object;

/** A terminal is opened by the constructor itself, which is native. */
function shieldTerminals(): void {
  const native = nativeBinding('tty_wrap')?.['TTY'] as { readonly prototype: NativePrototype } | undefined;
  if (native !== undefined) hideClass(native.prototype);
  for (const name of ['ReadStream', 'WriteStream'] as const) {
    const Original = tty[name] as unknown as StreamClass & { readonly prototype: object };
    const Guarded = function (this: unknown, descriptor: unknown, options?: object): object {
      const number = Number(descriptor) | 0;
      requireOwn(number, 'Using a terminal');
      const stream = construct(Original, [number, options], new.target ?? Guarded) as { readonly _handle?: object };
      givenAway(number);
      const { _handle: handle } = stream;
      if (handle !== undefined) {
        openedHandle(handle);
        hideClass(Object.getPrototypeOf(handle) as NativePrototype);
      }
      return stream;
    };
    Object.defineProperty(Guarded, 'name', { value: name });
    Guarded.prototype = Original.prototype;
    Object.setPrototypeOf(Guarded, Object.getPrototypeOf(Original) as object);
    Object.defineProperty(Original.prototype, 'constructor', { value: Guarded, writable: true, configurable: true });
    replace(tty, name, Guarded);
  }
}

/** A native class that takes a descriptor is not to be had from its objects. */
export function hideClass(prototype: NativePrototype): void {
  replace(prototype, 'constructor', function constructor() {
    throw new Denied(
      'Making a native handle of a descriptor',
      "it could be the daemon's or a neighbour's",
      processIsolation,
    );
  });
}
