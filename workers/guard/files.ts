// The file functions of a thread cell, kept to what a thread can take: descriptors of the plugin's own, output that
// goes to the plugin's log, and no file whose reading may never end.
import fs from 'node:fs';
import { replace } from './denial.ts';
import { givenAway, isDescriptor, opened, outputOf, requireOwn, requireRoom } from './descriptors.ts';
import { shieldFileBinding } from './file-binding.ts';
import { rememberHandle } from './file-handles.ts';
import { asWholeRead, requireBoundedDescriptor, requireHarmless } from './paths.ts';

type FileFunction = (...args: unknown[]) => unknown;
/** How a function tells its result, and so how it is to tell a refusal. */
type Manner = 'sync' | 'callback' | 'promise';
type Callback = (error: unknown, ...results: unknown[]) => void;

const { nextTick } = process;
/** Whether paths and descriptors are judged by the native functions below these. */
let isHeldBelow = false;

export function shieldFiles(): void {
  isHeldBelow = shieldFileBinding();
  for (const name of ['read', 'readv']) onDescriptor(name, 'Reading');
  for (const name of ['write', 'writev']) onDescriptor(name, 'Writing');
  for (const name of ['fsync', 'fdatasync']) onDescriptor(name, 'Syncing');
  onDescriptor('ftruncate', 'Truncating');
  onDescriptor('fchmod', 'Changing the mode');
  onDescriptor('fchown', 'Changing the owner');
  onDescriptor('futimes', 'Changing the times');
  shieldOpening();
  shieldClosing();
  for (const name of ['readFile', 'writeFile', 'appendFile', 'copyFile']) onWholeFile(name);
}

/** The functions of one name: with Sync, with a callback, and among the promises. */
function each(name: string, instead: (original: FileFunction, manner: Manner) => FileFunction): void {
  const places: readonly [object, string, Manner][] = [
    [fs, `${name}Sync`, 'sync'],
    [fs, name, 'callback'],
    [fs.promises, name, 'promise'],
  ];
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
  each(
    name,
    (original, manner) =>
      (...args) =>
        inManner(manner, args, () => {
          const [descriptor] = args;
          if (!isDescriptor(descriptor)) return original(...args);
          const output = what === 'Writing' ? outputOf(descriptor) : undefined;
          if (output !== undefined) return written(output, args, manner);
          requireOwn(descriptor, what);
          return original(...args);
        }),
  );
}

function shieldOpening(): void {
  each(
    'open',
    (original, manner) =>
      (...args) =>
        inManner(manner, args, () => {
          if (isHeldBelow) return original(...args);
          requireHarmless(args[0], args[1], 'open');
          requireRoom();
          if (manner === 'sync') return remembered(original(...args));
          if (manner === 'promise')
            return (original(...args) as Promise<Parameters<typeof rememberHandle>[0]>).then(rememberHandle);
          const callback = args.at(-1);
          if (typeof callback !== 'function') return original(...args);
          return original(...args.slice(0, -1), (error: unknown, descriptor: unknown) =>
            (callback as Callback)(error, error === null ? remembered(descriptor) : descriptor),
          );
        }),
  );
}

function remembered(descriptor: unknown): unknown {
  if (isDescriptor(descriptor)) opened(descriptor);
  return descriptor;
}

function shieldClosing(): void {
  each(
    'close',
    (original, manner) =>
      (...args) =>
        inManner(manner, args, () => {
          const [descriptor] = args;
          if (isDescriptor(descriptor) && !isHeldBelow) {
            requireOwn(descriptor, 'Closing');
            givenAway(descriptor);
          }
          return original(...args);
        }),
  );
}

/** These take a path or a descriptor. */
function onWholeFile(name: string): void {
  const isReading = name === 'readFile';
  each(
    name,
    (original, manner) =>
      (...args) =>
        inManner(manner, args, () => {
          const [file, data] = args;
          const purpose = isReading ? (manner === 'sync' && isText(args[1]) ? 'text' : 'whole') : 'open';
          if (!isDescriptor(file)) {
            if (!isHeldBelow) requireHarmless(file, isReading || name === 'copyFile' ? 'r' : 'w', purpose);
            if (!isHeldBelow && name === 'copyFile') requireHarmless(data, 'w', 'open');
            return isReading ? asWholeRead(() => original(...args)) : original(...args);
          }
          const output = isReading ? undefined : outputOf(file);
          if (output !== undefined) {
            written(output, [file, data, args.at(-1)], manner);
            return undefined;
          }
          requireOwn(file, isReading ? 'Reading' : 'Writing');
          requireBoundedDescriptor(file, purpose);
          return original(...args);
        }),
  );
}

/** What is read is decoded at once where an encoding is given. */
function isText(options: unknown): boolean {
  const encoding: unknown =
    typeof options === 'object' && options !== null && 'encoding' in options ? options.encoding : options;
  return typeof encoding === 'string' && encoding !== 'buffer';
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
  const part: Part =
    typeof offsetOrPart === 'object' && offsetOrPart !== null
      ? offsetOrPart
      : {
          ...(typeof offsetOrPart === 'number' ? { offset: offsetOrPart } : {}),
          ...(typeof lengthOrNothing === 'number' ? { length: lengthOrNothing } : {}),
        };
  const { offset = 0, length = whole.length - offset } = part;
  return whole.subarray(offset, offset + length);
}
