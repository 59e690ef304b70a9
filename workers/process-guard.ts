// What a tool's process keeps from its plugin: the channel to the host, and the pipe at its stdin, which is the
// watchdog's, and signals to the daemon. What a plugin does to its own process hurts nobody else.
import { Readable } from 'node:stream';
import type { GuardHooks } from './guard.ts';
import { shieldDaemonFromSignals } from './guard/process-signals.ts';
import { onHostGone } from './host-gone.ts';
import { endStarted } from './started-processes.ts';

export interface HostChannel {
  post(message: unknown): void;
  receive(listener: (message: unknown) => void): void;
}

/** Taken before any plugin runs. */
const send = process.send?.bind(process) as
  ((message: unknown, sent: (error: Error | null) => void) => boolean) | undefined;
const reallyExit = Reflect.get(process, 'reallyExit') as (code: number) => never;

export const hostChannel: HostChannel = {
  post(message) {
    send?.(message, () => {
      // The host is gone, and this process is about to end with it.
    });
  },
  receive(listener) {
    process.on('message', listener);
  },
};

/** As in a thread, an error that nobody caught ends the cell, whatever listeners the plugin has installed. */
export function guardProcess({ fatal }: GuardHooks): void {
  Object.defineProperty(process, 'send', { value: undefined, configurable: true });
  hideStdin();
  shieldDaemonFromSignals(false);
  const end = (): never => {
    endStarted();
    return reallyExit.call(process, 1);
  };
  onHostGone(end);
  process.setUncaughtExceptionCaptureCallback((error) => {
    fatal('uncaught_exception', error);
    end();
  });
  process.on('unhandledRejection', (reason) => {
    fatal('unhandled_rejection', reason);
    end();
  });
  process.on('exit', (code) => {
    fatal('exit', new Error(`the plugin ended its process with exit code ${String(code)}`));
    endStarted();
  });
}

/** Kept for as long as the process lives, because its end would close the descriptor. */
let ownStdin: unknown;

/** Empty for the plugin. Node's own stream is made once, because with it a read past the stream no longer blocks. */
function hideStdin(): void {
  ownStdin ??= process.stdin;
  let stdin: Readable | undefined;
  Object.defineProperty(process, 'stdin', {
    get: () => (stdin ??= Readable.from([])),
    configurable: true,
    enumerable: true,
  });
}
