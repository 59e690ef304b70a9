// Shields the daemon from what a plugin could do to the whole process from inside a thread. Each denial is an error
// that says what allows it, or ends this cell alone. It is a guard against faults, not against malice.
import { syncBuiltinESMExports } from 'node:module';
import workerThreads from 'node:worker_threads';
import type { CrashReason } from '../protocol/cell/messages.ts';

export interface GuardHooks {
  /** Says the cell's last word and ends it. */
  fatal(reason: CrashReason, thrown: unknown): void;
}

/** Taken before any plugin runs: ends this thread without running the plugin's own exit listeners. */
const reallyExit = Reflect.get(process, 'reallyExit') as (code: number) => never;
export const endCell = (): never => reallyExit.call(process, 1);

function lock(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: false, configurable: false, enumerable: true });
}

function denial(name: string, remedy: string): () => never {
  return () => {
    throw Object.assign(new Error(`${name} is not allowed in a thread cell: it would act on the whole daemon. ${remedy}`), { code: 'ERR_NAGAYA_DENIED' });
  };
}

/** The plugin's imports of node:worker_threads see no way to the host; what the cell took before keeps working. */
export function hideParent(): void {
  Object.assign(workerThreads, { parentPort: null, workerData: null });
  syncBuiltinESMExports();
}

export function guardCell(hooks: GuardHooks): void {
  process.setUncaughtExceptionCaptureCallback((error) => hooks.fatal('uncaught_exception', error));
  process.on('unhandledRejection', (reason) => hooks.fatal('unhandled_rejection', reason));
  lock(process, 'setUncaughtExceptionCaptureCallback', denial('process.setUncaughtExceptionCaptureCallback()', 'An uncaught error always ends the cell.'));

  const exit = (code?: number | string | null): never => {
    hooks.fatal('exit', new Error(`the plugin called process.exit(${code === undefined ? '' : String(code)})`));
    return endCell();
  };
  lock(process, 'exit', exit);
  lock(process, 'reallyExit', exit);
  lock(process, 'abort', () => {
    hooks.fatal('exit', new Error('the plugin called process.abort()'));
    return endCell();
  });
  lock(process, 'dlopen', denial('process.dlopen()', 'Native addons need a process cell.'));
  guardKill();
  syncBuiltinESMExports();
}

/** Signals to the daemon or its parent are refused; a plugin may still end processes of its own. */
function guardKill(): void {
  // process.kill goes through this one, whoever calls it.
  const send = (Reflect.get(process, '_kill') as (pid: number, signal: number) => number).bind(process);
  const refused = denial('process.kill() of the daemon', 'Throw, or call process.exit(), to end this cell.');
  const daemon = new Set([process.pid, process.ppid, 0, -1, -process.pid, -process.ppid]);
  lock(process, '_kill', (pid: number, signal: number) => (daemon.has(pid) && signal !== 0 ? refused() : send(pid, signal)));
}
