// The file functions of a thread cell, kept to what a thread can take: descriptors of the plugin's own, output that
// goes to the plugin's log, and no file whose reading may never end.
import type { EventEmitter } from 'node:events';
import fs, { type Stats } from 'node:fs';
import { Denied, processIsolation, replace } from './denial.ts';
import { closed, isDescriptor, opened, outputOf, requireOwn, requireRoom } from './descriptors.ts';

type FileFunction = (...args: unknown[]) => unknown;
/** How a function tells its result, and so how it is to tell a refusal. */
type Manner = 'sync' | 'callback' | 'promise';
type Callback = (error: unknown, ...results: unknown[]) => void;

/** Own references: what comes after this is replaced. */
const { statSync } = fs;
const { O_NONBLOCK } = fs.constants;
const { nextTick } = process;

export function shieldFiles(): void {
  for (const name of ['read', 'readv']) onDescriptor(name, 'Reading');
  for (const name of ['write', 'writev']) onDescriptor(name, 'Writing');
  onDescriptor('ftruncate', 'Truncating');
  shieldOpening();
  shieldClosing();
  for (const name of ['readFile', 'writeFile', 'appendFile', 'copyFile']) onWholeFile(name);
}

/** The functions of one name: with Sync, with a callback, and among the promises. */
function each(name: string, instead: (original: FileFunction, manner: Manner) => FileFunction): void {
  const places: readonly [object, string, Manner][] = [[fs, `${name}Sync`, 'sync'], [fs, name, 'callback'], [fs.promises, name, 'promise']];
  for (const [target, key, manner] of places) {
    const original = Reflect.get(target, key) as FileFunction | undefined;
    if (original === undefined) continue;
    const wrapper = instead(original, manner);
    // Its name, its length and what util.promisify looks for.
    Object.defineProperties(wrapper, Object.getOwnPropertyDescriptors(original));
    replace(target, key, wrapper);
  }
}

/** Runs `act`; what it throws is told in the function's own manner. */
function inManner(manner: Manner, args: readonly unknown[], act: () => unknown): unknown {
  if (manner === 'promise') return new Promise((resolve) => resolve(act()));
  try {
    return act();
  } catch (thrown) {
    const callback = args.at(-1);
    if (manner === 'sync' || typeof callback !== 'function') throw thrown;
    nextTick(callback, thrown);
    return undefined;
  }
}

function onDescriptor(name: string, what: string): void {
  each(name, (original, manner) => (...args) =>
    inManner(manner, args, () => {
      const [descriptor] = args;
      if (!isDescriptor(descriptor)) return original(...args);
      const output = what === 'Writing' ? outputOf(descriptor) : undefined;
      if (output !== undefined) return written(output, args, manner);
      requireOwn(descriptor, what);
      return original(...args);
    }));
}

function shieldOpening(): void {
  each('open', (original, manner) => (...args) =>
    inManner(manner, args, () => {
      requireEnd(args[0], args[1]);
      requireRoom();
      if (manner === 'sync') return remembered(original(...args));
      if (manner === 'promise') return (original(...args) as Promise<Parameters<typeof rememberedHandle>[0]>).then(rememberedHandle);
      const callback = args.at(-1);
      if (typeof callback !== 'function') return original(...args);
      return original(...args.slice(0, -1), (error: unknown, descriptor: unknown) => (callback as Callback)(error, error === null ? remembered(descriptor) : descriptor));
    }));
}

function remembered(descriptor: unknown): unknown {
  if (isDescriptor(descriptor)) opened(descriptor);
  return descriptor;
}

/** A handle tells of its end; Node's types leave that out. */
function rememberedHandle(handle: fs.promises.FileHandle & Pick<EventEmitter, 'once'>): fs.promises.FileHandle {
  const { fd } = handle;
  opened(fd);
  handle.once('close', () => closed(fd));
  return handle;
}

function shieldClosing(): void {
  each('close', (original, manner) => (...args) =>
    inManner(manner, args, () => {
      const [descriptor] = args;
      if (isDescriptor(descriptor)) {
        requireOwn(descriptor, 'Closing');
        closed(descriptor);
      }
      return original(...args);
    }));
}

/** These take a path or a descriptor. */
function onWholeFile(name: string): void {
  each(name, (original, manner) => (...args) =>
    inManner(manner, args, () => {
      const [file, data] = args;
      if (!isDescriptor(file)) {
        requireEnd(file, undefined);
        return original(...args);
      }
      const output = name === 'readFile' ? undefined : outputOf(file);
      if (output !== undefined) {
        written(output, [file, data, args.at(-1)], manner);
        return undefined;
      }
      requireOwn(file, name === 'readFile' ? 'Reading' : 'Writing');
      return original(...args);
    }));
}

const terminalMajors = new Set([4, 5, 136, 137, 138, 139, 140, 141, 142, 143]);
const majorOf = (device: number): number => (device >> 8) & 0xfff;

/** A pipe or a terminal may keep its reader waiting for ever, in a system call that nothing can end. */
function requireEnd(path: unknown, flags: unknown): void {
  if (typeof flags === 'number' && (flags & O_NONBLOCK) !== 0) return;
  const stats = statsOf(path);
  if (stats === undefined) return;
  const isTerminal = stats.isCharacterDevice() && terminalMajors.has(majorOf(stats.rdev));
  if (!stats.isFIFO() && !isTerminal) return;
  throw new Denied(`Opening a ${isTerminal ? 'terminal' : 'pipe'} by its path`, 'the thread could wait in the operating system, where nothing can end it', processIsolation);
}

function statsOf(path: unknown): Stats | undefined {
  if (typeof path !== 'string' && !Buffer.isBuffer(path) && !(path instanceof URL)) return undefined;
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    // Whatever is wrong with the path, the function itself says it.
    return undefined;
  }
}

/** Takes what was to be written, as the log's, and answers as the file function would. */
function written(output: NodeJS.WriteStream, args: readonly unknown[], manner: Manner): unknown {
  const [, data] = args;
  const bytes = Array.isArray(data) ? Buffer.concat(data as Uint8Array[]) : partOf(data, args[2], args[3]);
  output.write(bytes);
  const callback = args.at(-1);
  if (manner === 'callback' && typeof callback === 'function') nextTick(callback, null, bytes.length, data);
  return manner === 'sync' ? bytes.length : undefined;
}

interface Part {
  readonly offset?: number;
  readonly length?: number;
}

function partOf(data: unknown, offsetOrPart: unknown, lengthOrNothing: unknown): Buffer {
  if (!ArrayBuffer.isView(data)) return Buffer.from(String(data));
  const whole = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const part: Part = typeof offsetOrPart === 'object' && offsetOrPart !== null ? offsetOrPart : { ...(typeof offsetOrPart === 'number' ? { offset: offsetOrPart } : {}), ...(typeof lengthOrNothing === 'number' ? { length: lengthOrNothing } : {}) };
  const { offset = 0, length = whole.length - offset } = part;
  return whole.subarray(offset, offset + length);
}
