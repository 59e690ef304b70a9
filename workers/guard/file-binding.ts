// The native functions behind `node:fs`, which imports, streams, promises and whatever else opens a file go through.
// What a plugin may open, and which descriptors it may use, is held here, once, whatever function it calls.
import { replace } from './denial.ts';
import { givenAway, opened, requireOwn, requireRoom } from './descriptors.ts';
import { guardNative, rememberNative } from './file-handles.ts';
import { type NativePrototype, nativeBinding } from './native.ts';
import { type Purpose, isWholeRead, requireBoundedDescriptor, requireHarmless } from './paths.ts';

type Native = (this: unknown, ...args: unknown[]) => unknown;
/** Of a call with a callback. */
interface Request {
  oncomplete?: (error: unknown, ...results: unknown[]) => unknown;
}

const { apply, construct } = Reflect;
const then = Reflect.get(Promise.prototype, 'then') as Native;

/** By what they are called in a refusal. */
const onDescriptors: Readonly<Record<string, string>> = {
  read: 'Reading',
  readBuffers: 'Reading',
  writeBuffer: 'Writing',
  writeBuffers: 'Writing',
  writeString: 'Writing',
  ftruncate: 'Truncating',
  fsync: 'Syncing',
  fdatasync: 'Syncing',
  fchmod: 'Changing the mode',
  fchown: 'Changing the owner',
  futimes: 'Changing the times',
};

/** False where Node does not hand them out: then the public functions alone are guarded. */
export function shieldFileBinding(): boolean {
  const binding = nativeBinding('fs');
  if (binding === undefined) return false;
  for (const [name, what] of Object.entries(onDescriptors)) {
    around(binding, name, (native) => (...args) => {
      requireOwn(args[0] as number, what);
      return apply(native, binding, args);
    });
  }
  shieldOpening(binding);
  around(binding, 'close', (native) => (...args) => {
    requireOwn(args[0] as number, 'Closing');
    givenAway(args[0] as number);
    return apply(native, binding, args);
  });
  around(binding, 'readFileUtf8', (native) => (...args) => {
    requireFile(args[0], args[1], 'text', 'Reading');
    return apply(native, binding, args);
  });
  around(binding, 'writeFileUtf8', (native) => (...args) => {
    requireFile(args[0], args[2], 'open', 'Writing');
    return apply(native, binding, args);
  });
  around(binding, 'copyFile', (native) => (...args) => {
    requireHarmless(args[0], 'r', 'open');
    requireHarmless(args[1], 'w', 'open');
    return apply(native, binding, args);
  });
  shieldJobs(binding);
  shieldHandleClass(binding);
  return true;
}

interface FileJob {
  ondone?: (error: unknown, bytes?: unknown, descriptor?: unknown, ...results: unknown[]) => unknown;
}

/** Node 26 reads and writes small files by path in one native call, without opening them by the functions above. */
function shieldJobs(binding: Record<string, unknown>): void {
  const jobs = { ReadFileJob: 'r', WriteFileJob: 'w' } as const;
  for (const [name, flags] of Object.entries(jobs)) {
    const { prototype } = (binding[name] ?? {}) as { readonly prototype?: NativePrototype };
    if (prototype === undefined) continue;
    around(
      prototype,
      'run',
      (run) =>
        function (path) {
          requireHarmless(path, flags, flags === 'r' ? 'whole' : 'open');
          requireRoom();
          // A larger file comes back as a descriptor, from which the rest is read.
          if (flags === 'r') rememberRead(this as FileJob);
          return apply(run, this, [path]);
        },
    );
  }
}

function rememberRead(job: FileJob): void {
  const { ondone } = job;
  job.ondone = function (this: unknown, error, bytes, descriptor, ...results) {
    if (typeof descriptor === 'number' && descriptor >= 0) opened(descriptor);
    const taken: unknown = apply(ondone as Native, this, [error, bytes, descriptor, ...results]);
    return taken;
  };
}

function around(binding: Record<string, unknown>, name: string, instead: (native: Native) => Native): void {
  const native = binding[name] as Native | undefined;
  if (native !== undefined) replace(binding, name, instead(native));
}

function requireFile(file: unknown, flags: unknown, purpose: Purpose, what: string): void {
  if (typeof file !== 'number') {
    requireHarmless(file, flags, purpose);
    return;
  }
  requireOwn(file, what);
  requireBoundedDescriptor(file, purpose);
}

function shieldOpening(binding: Record<string, unknown>): void {
  around(binding, 'open', (native) => (...args) => {
    requireHarmless(args[0], args[1], isWholeRead() ? 'whole' : 'open');
    requireRoom();
    const request = args[3] as Request | undefined;
    if (typeof request === 'object') rememberWhenDone(request);
    const descriptor = apply(native, binding, args);
    if (typeof descriptor === 'number') opened(descriptor);
    return descriptor;
  });
  around(binding, 'openFileHandle', (native) => (...args) => {
    requireHarmless(args[0], args[1], isWholeRead() ? 'whole' : 'open');
    requireRoom();
    const handle: unknown = apply(then, apply(native, binding, args), [remembered]);
    return handle;
  });
}

function rememberWhenDone(request: Request): void {
  const { oncomplete } = request;
  request.oncomplete = function (this: unknown, error: unknown, ...results: unknown[]) {
    if (typeof results[0] === 'number') opened(results[0]);
    const taken: unknown = apply(oncomplete as Native, this, [error, ...results]);
    return taken;
  };
}

function remembered(handle: object): object {
  rememberNative(handle);
  return handle;
}

/** Who wants to read a descriptor as a stream makes a handle of it: Node's HTTP/2 does. */
function shieldHandleClass(binding: Record<string, unknown>): void {
  const Original = binding['FileHandle'] as { readonly prototype: NativePrototype };
  const Guarded = function (this: unknown, ...args: unknown[]): object {
    const descriptor = Number(args[0]) | 0;
    requireOwn(descriptor, 'Reading');
    return construct(
      Original as unknown as new () => object,
      [descriptor, ...args.slice(1)],
      new.target ?? Guarded,
    ) as object;
  };
  Guarded.prototype = Original.prototype;
  guardNative(Original.prototype);
  replace(binding, 'FileHandle', Guarded);
}
