// What a service's process keeps from its plugin, and how it ends. It is far less than in a thread: what a plugin does
// to its own process hurts nobody else. An error nobody caught, and an exit, end the cell with a last word.
import { exitCodeOf } from './exit-code.ts';
import type { GuardHooks } from './guard.ts';
import { shieldDaemonFromSignals } from './guard/process-signals.ts';
import { endStarted } from './started-processes.ts';

/** Taken before any plugin runs. */
const reallyExit = Reflect.get(process, 'reallyExit') as (code: number) => never;
const kill = process.kill.bind(process);

/** Without the plugin's own exit listeners, and with all that it has started. */
export function endProcess(): never {
  endStarted();
  kill(0, 'SIGKILL');
  return reallyExit.call(process, 1);
}

const denied = (message: string): Error => Object.assign(new Error(message), { code: 'ERR_NAGAYA_DENIED' });

export function guardServiceProcess({ fatal }: GuardHooks): void {
  process.setUncaughtExceptionCaptureCallback((error) => fatal('uncaught_exception', error));
  process.on('unhandledRejection', (reason) => fatal('unhandled_rejection', reason));
  const exit = (code?: number | string | null): never => {
    fatal(
      'exit',
      new Error(`the plugin called process.exit(${code === undefined ? '' : String(code)})`),
      exitCodeOf(code),
    );
    return endProcess();
  };
  // Replaced and not locked: libraries wrap the first two, and what they wrap is this.
  Object.assign(process, {
    exit,
    reallyExit: exit,
    abort: () => {
      fatal('exit', new Error('the plugin called process.abort()'));
      return endProcess();
    },
    setUncaughtExceptionCaptureCallback: () => {
      throw denied(
        'process.setUncaughtExceptionCaptureCallback() is not allowed in a cell: an uncaught error always ends the cell.',
      );
    },
  });
  shieldDaemonFromSignals(true);
}
