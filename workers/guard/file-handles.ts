// File handles of a thread cell: a number belongs to the plugin only while the handle that has it is open. Node's class
// of them is not exported, so it is guarded when the first handle is opened, before the plugin gets to see it.
import type { FileHandle } from 'node:fs/promises';
import { replace } from './denial.ts';
import { closed, opened, openedBy, releaseHandlesBy } from './descriptors.ts';
import { hideClass } from './handles.ts';
import type { NativePrototype } from './native.ts';

type Method = (this: object, ...args: unknown[]) => unknown;

const { apply } = Reflect;
let descriptorOf: (native: object) => number = (native) => Reflect.get(native, 'fd') as number;
let isGuarded = false;

export function rememberHandle(handle: FileHandle): FileHandle {
  const native = nativeOf(handle);
  if (native === undefined) {
    opened(handle.fd);
    return handle;
  }
  hideClass(Object.getPrototypeOf(handle) as NativePrototype);
  rememberNative(native);
  return handle;
}

export function rememberNative(native: object): void {
  guardNative(Object.getPrototypeOf(native) as NativePrototype);
  openedBy(native, descriptorOf(native));
}

/** Node keeps it under a symbol of its own. */
function nativeOf(handle: FileHandle): object | undefined {
  const symbol = Object.getOwnPropertySymbols(handle).find(({ description }) => description === 'kHandle');
  return symbol === undefined ? undefined : (Reflect.get(handle, symbol) as object | undefined);
}

export function guardNative(prototype: NativePrototype): void {
  if (isGuarded) return;
  isGuarded = true;
  const read = Object.getOwnPropertyDescriptor(prototype, 'fd')?.get;
  if (read !== undefined) descriptorOf = (native) => apply(read, native, []) as number;
  const { close, releaseFD } = prototype as { close: Method; releaseFD: Method };
  releaseHandlesBy((native) => void apply(releaseFD, native, []));
  replace(prototype, 'close', function (this: object, ...args: unknown[]) {
    closed(descriptorOf(this));
    return apply(close, this, args);
  });
  replace(prototype, 'releaseFD', function (this: object, ...args: unknown[]) {
    closed(descriptorOf(this));
    const descriptor = apply(releaseFD, this, args);
    // Nothing closes it by itself any more: it is the plugin's by its number.
    if (typeof descriptor === 'number' && descriptor >= 0) opened(descriptor);
    return descriptor;
  });
  hideClass(prototype);
}
