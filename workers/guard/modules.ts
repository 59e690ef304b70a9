// Functions of Node's modules that reach beyond the thread that calls them, in a thread cell.
import childProcess from 'node:child_process';
import inspector from 'node:inspector';
import module from 'node:module';
import v8 from 'node:v8';
import { type Grants, denial, replace } from './denial.ts';
import { shieldThreads } from './threads.ts';

const wholeDaemon = 'it would act on the whole daemon';

export function shieldModules(grants: Grants): void {
  shieldWasi();
  replace(v8, 'setFlagsFromString', denial('v8.setFlagsFromString()', wholeDaemon));
  for (const name of ['open', 'close', 'waitForDebugger'])
    replace(inspector, name, denial(`inspector.${name}()`, wholeDaemon));
  replace(
    inspector.Session.prototype,
    'connectToMainThread',
    denial('Inspecting the main thread', "it is the daemon's own"),
  );
  replace(
    inspector.Session.prototype,
    'connect',
    denial(
      "An inspector session of the plugin's own",
      "it reaches what is the cell's, and can stop the thread where nothing can end it",
    ),
  );
  for (const name of ['execSync', 'execFileSync', 'spawnSync']) {
    replace(
      childProcess,
      name,
      denial(
        `child_process.${name}()`,
        'the thread would wait where nothing can end it',
        'Use the function without Sync, or "isolation": "process" in plugin.json.',
      ),
    );
  }
  shieldLoaders(module, denial('module.register()', 'loaders run in a thread that has no guard and no bounds'));
  shieldThreads(grants);
}

/** Loading it tells that it is experimental: nobody here uses it, so that nobody is told. */
function shieldWasi(): void {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    const wasi = module.createRequire(import.meta.url)('node:wasi') as object;
    replace(wasi, 'WASI', denial('Running a program with WASI', 'it opens files and takes descriptors past the guard'));
  } finally {
    process.emitWarning = emitWarning;
  }
}

let mayRegister = false;

/** For the cell's own use, before anything of the plugin runs. What `act` begins at once may register loaders. */
export function registering<Value>(act: () => Value): Value {
  mayRegister = true;
  try {
    return act();
  } finally {
    mayRegister = false;
  }
}

/** Loaders run in a thread of their own, which nobody guards or watches. */
export function shieldLoaders(target: object, refused: () => never): void {
  const register = Reflect.get(target, 'register') as ((...args: unknown[]) => unknown) | undefined;
  if (register === undefined) return;
  replace(target, 'register', (...args: unknown[]) =>
    mayRegister ? Reflect.apply(register, target, args) : refused(),
  );
}
