// Compiled code that a plugin hands to V8: V8 does not check it, and a damaged cache crashes the process.
import vm from 'node:vm';
import { Denied, replace } from './denial.ts';

type Compiler = new (...args: unknown[]) => object;

const { construct } = Reflect;
const { isView } = ArrayBuffer;

const refuse = (): never => {
  throw new Denied(
    'Running code from a cache (cachedData)',
    'V8 does not check it, and a damaged one ends the daemon',
    'Compile the source instead, or use "isolation": "process" in plugin.json.',
  );
};

export function shieldScripts(): void {
  shieldScript();
  const { compileFunction } = vm;
  replace(vm, 'compileFunction', (code: string, params?: readonly string[], options?: object) => {
    if (options === undefined) return compileFunction(code, params);
    const { cachedData } = options as { readonly cachedData?: unknown };
    if (cachedData !== undefined) refuse();
    // The option is looked up once: what was checked is what is used.
    return compileFunction(
      code,
      params,
      Object.create(options, { cachedData: { value: undefined } }) as vm.CompileFunctionOptions,
    );
  });
  const Module = Reflect.get(vm, 'SourceTextModule') as (new (code: string, options?: object) => object) | undefined;
  if (Module !== undefined) replace(vm, 'SourceTextModule', refusing(Module));
}

/** All of `vm` compiles scripts through the class below `vm.Script`. */
function shieldScript(): void {
  const Native = Object.getPrototypeOf(vm.Script) as Compiler;
  const Guarded = function (this: unknown, ...args: unknown[]): object {
    // Of what it is given only the cache is bytes.
    if (args.some((arg) => isView(arg))) refuse();
    return construct(Native, args, new.target ?? Guarded) as object;
  };
  Guarded.prototype = Native.prototype as object;
  replace(Native.prototype as object, 'constructor', Guarded);
  Object.setPrototypeOf(vm.Script, Guarded);
}

/** Only where a flag of Node's makes it available. */
function refusing(Original: new (code: string, options?: object) => object): unknown {
  const Guarded = function (this: unknown, code: string, options?: { readonly cachedData?: unknown }): object {
    if (options?.cachedData !== undefined) refuse();
    return construct(
      Original,
      [code, options === undefined ? undefined : Object.create(options, { cachedData: { value: undefined } })],
      new.target ?? Guarded,
    ) as object;
  };
  Guarded.prototype = Original.prototype as object;
  replace(Original.prototype as object, 'constructor', Guarded);
  Object.setPrototypeOf(Guarded, Object.getPrototypeOf(Original) as object);
  return Guarded;
}
