// What a child process of the daemon keeps from its plugin: the channel to the host, and a way to outlive the host. A
// process of its own needs no more shielding than that; what it does to itself hurts nobody else.
import type { GuardHooks } from './guard.ts';

export interface HostChannel {
  post(message: unknown): void;
  receive(listener: (message: unknown) => void): void;
}

/** Taken before any plugin runs. */
const send = process.send?.bind(process) as ((message: unknown, sent: (error: Error | null) => void) => boolean) | undefined;
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
  for (const name of ['send', 'disconnect']) Object.defineProperty(process, name, { value: undefined, configurable: true });
  const end = (): never => reallyExit.call(process, 1);
  process.on('disconnect', end);
  process.setUncaughtExceptionCaptureCallback((error) => {
    fatal('uncaught_exception', error);
    end();
  });
  process.on('unhandledRejection', (reason) => {
    fatal('unhandled_rejection', reason);
    end();
  });
  process.on('exit', (code) => fatal('exit', new Error(`the plugin ended its process with exit code ${String(code)}`)));
}
