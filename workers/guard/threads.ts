// Threads that a plugin with a grant starts from its thread cell: they are in the daemon's process too, so that each
// begins behind the same guard, and nothing runs before it.
import workerThreads, { type WorkerOptions } from 'node:worker_threads';
import { channelsOf } from './channels.ts';
import { controlSocket } from './control-socket.ts';
import { Denied, type Grants, denial, grantOf, processIsolation, replace } from './denial.ts';

type Constructor = new (...args: unknown[]) => object;

const { construct } = Reflect;

export function shieldThreads(grants: Grants): void {
  if ('postMessageToThread' in workerThreads)
    replace(
      workerThreads,
      'postMessageToThread',
      denial('postMessageToThread()', 'the host takes no messages but its own'),
    );
  if (grants.worker) {
    guardThreads(grants);
    return;
  }
  const refused = denial('Starting a Worker', "what it does would escape this cell's limits", grantOf('worker'));
  replace(
    workerThreads,
    'Worker',
    class Worker {
      constructor() {
        refused();
      }
    },
  );
}

/** What stands behind a nested thread's guard, for the thread itself. */
export interface NestedGuard {
  /** False in a process cell, where only the control socket is kept from the plugin. */
  readonly shieldsDaemon: boolean;
  readonly addons: boolean;
  readonly plugin: string;
  readonly controlSocket?: string;
}

/** The class itself is not to be had from what takes its place, nor from its objects. */
export function guardThreads(grants: Grants, shieldsDaemon = true): void {
  const Original = workerThreads.Worker as unknown as Constructor & { readonly prototype: object };
  const Worker = function (this: unknown, file: unknown, options: WorkerOptions = {}): object {
    if (new.target === undefined) throw new TypeError("Class constructor Worker cannot be invoked without 'new'");
    const socket = controlSocket();
    const nested: NestedGuard = {
      shieldsDaemon,
      addons: grants.addons,
      plugin: channelsOf(),
      ...(socket === undefined ? {} : { controlSocket: socket }),
    };
    return construct(Original, guarded(file, options, nested), new.target) as object;
  };
  Worker.prototype = Original.prototype;
  Object.setPrototypeOf(Worker, Object.getPrototypeOf(Original) as object);
  Object.defineProperty(Original.prototype, 'constructor', { value: Worker, writable: true, configurable: true });
  replace(workerThreads, 'Worker', Worker);
}

function guarded(file: unknown, options: WorkerOptions, nested: NestedGuard): unknown[] {
  const text = JSON.stringify(nested);
  requireHarmlessOptions(options);
  // Those of a whole process, such as the size of its heap, no thread takes.
  const execArgv = options.execArgv ?? process.execArgv.filter((option) => harmless.test(option));
  const own = {
    ...options,
    execArgv: [
      '--import',
      new URL(`../nested-guard.js?guard=${encodeURIComponent(text)}`, import.meta.url).href,
      ...execArgv,
    ],
  };
  if (options.eval !== true) return [file, own];
  // Node leaves out the query of a thread's own file.
  return [
    new URL('../nested-eval.js', import.meta.url),
    { ...options, eval: false, execArgv, argv: [...((options.argv ?? []) as unknown[]), text, String(file)] },
  ];
}

/** These neither run code before the guard nor take anything from it. */
const harmless =
  /^(?:--(?:no-)?(?:warnings|deprecation|enable-source-maps|preserve-symlinks|preserve-symlinks-main|force-context-aware|network-family-autoselection|verify-base-objects|addons|global-search-paths|experimental-(?:permission|global-[\w-]+|fetch|websocket|strip-types|transform-types))|--(?:permission|pending-deprecation|throw-deprecation|trace-[\w-]+|disable-warning=.*|unhandled-rejections=\w+|stack-trace-limit=\d+|conditions=.*|dns-result-order=\w+|allow-[\w-]+(?:=.*)?))$/;

/** Node runs what these name before the guard, or before anything at all. */
function requireHarmlessOptions({ execArgv = [], env }: WorkerOptions): void {
  const given = execArgv.find((option) => !harmless.test(option));
  if (given !== undefined)
    throw new Denied(
      `Starting a Worker with ${given}`,
      'it could run code before the thread is guarded',
      processIsolation,
    );
  const inherited: unknown =
    typeof env === 'object' && env !== null ? Reflect.get(env, 'NODE_OPTIONS') : process.env['NODE_OPTIONS'];
  if (inherited !== undefined && inherited !== '')
    throw new Denied(
      'Starting a Worker with NODE_OPTIONS',
      'they could run code before the thread is guarded',
      processIsolation,
    );
}
