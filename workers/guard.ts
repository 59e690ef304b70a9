// Shields the daemon from what a plugin could do to the whole process from inside a thread. Each denial is an error
// that says what allows it, or ends this cell alone. It is a guard against faults, not against malice.
import { syncBuiltinESMExports } from 'node:module';
import workerThreads from 'node:worker_threads';
import type { InspectorGate } from '../protocol/cell/inspector-gate.ts';
import type { CrashReason } from '../protocol/cell/messages.ts';
import { exitCodeOf } from './exit-code.ts';
import { shieldChannels } from './guard/channels.ts';
import { shieldChildren } from './guard/children.ts';
import { shieldControlSocket } from './guard/control-socket.ts';
import { type Grants, denial, noGrants, replace } from './guard/denial.ts';
import { shieldFiles } from './guard/files.ts';
import { shieldFolders } from './guard/folders.ts';
import { shieldHandles } from './guard/handles.ts';
import { shieldModules } from './guard/modules.ts';
import { shieldProcess } from './guard/process.ts';
import { shieldScripts } from './guard/scripts.ts';
import { shieldWholeFiles } from './guard/whole-files.ts';

export interface GuardHooks {
  /** Says the cell's last word and ends it. `exitCode`: where the plugin asked for one. */
  fatal(reason: CrashReason, thrown: unknown, exitCode?: number): void;
}

/** Taken before any plugin runs: ends this thread without running the plugin's own exit listeners. */
const reallyExit = Reflect.get(process, 'reallyExit') as (code: number) => never;
let gate: InspectorGate | undefined;

export function endCell(): never {
  gate?.leave();
  return reallyExit.call(process, 1);
}

/** However the thread comes to its end by itself, the host is to put no question to it any more. */
export function leaveBy(own: InspectorGate): void {
  gate = own;
  process.on('exit', () => own.leave());
}

/** The plugin's imports of node:worker_threads see no way to the host; what the cell took before keeps working. */
export function hideParent(): void {
  Object.assign(workerThreads, { parentPort: null, workerData: null });
  syncBuiltinESMExports();
}

export function guardCell(hooks: GuardHooks, grants: Grants = noGrants): void {
  guardEnds(hooks);
  shieldDaemon(grants);
}

/** All that a thread could do to the process around it; its own end is another matter. */
export function shieldDaemon(grants: Grants): void {
  if (grants.controlSocket !== undefined) shieldControlSocket(grants.controlSocket);
  // What these need of Node's own is refused to the plugin by those that follow.
  shieldHandles();
  shieldFiles();
  shieldFolders();
  shieldWholeFiles();
  shieldProcess(grants);
  shieldModules(grants);
  shieldChildren();
  shieldScripts();
  shieldChannels();
  syncBuiltinESMExports();
}

/** However it comes about, an end is told with its cause, and is the end of this cell alone. */
function guardEnds(hooks: GuardHooks): void {
  process.setUncaughtExceptionCaptureCallback((error) => hooks.fatal('uncaught_exception', error));
  // A plugin may remove this listener: then Node passes the rejection on as an uncaught error.
  process.on('unhandledRejection', (reason) => hooks.fatal('unhandled_rejection', reason));
  replace(
    process,
    'setUncaughtExceptionCaptureCallback',
    denial(
      'process.setUncaughtExceptionCaptureCallback()',
      'an uncaught error always ends the cell',
      'Catch the error where it comes up.',
    ),
  );
  // Node looks this one up when an error is uncaught; in its place a plugin could swallow it.
  Object.defineProperty(process, '_fatalException', { writable: false, configurable: false });

  const exit = (code?: number | string | null): never => {
    hooks.fatal(
      'exit',
      new Error(`the plugin called process.exit(${code === undefined ? '' : String(code)})`),
      exitCodeOf(code),
    );
    return endCell();
  };
  replace(process, 'exit', exit);
  replace(process, 'reallyExit', exit);
  replace(process, 'abort', () => {
    hooks.fatal('exit', new Error('the plugin called process.abort()'));
    return endCell();
  });
}
