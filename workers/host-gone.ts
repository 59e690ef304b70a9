// A process cell's main thread sees by the channel of its fork that the daemon is gone. The watchdog sees it too, also
// while the plugin loops, and finds what the process has started, which Node's permission model keeps the main thread
// from. So it is given its time before the main thread ends the process.
import { captured } from './primitives.ts';

const watchdogMs = 1000;

/** Before any plugin runs, which finds a `disconnect` that does nothing. */
export function onHostGone(ended: () => void): void {
  // Node clears it when the channel has ended, and calls its `disconnect` a moment before.
  const endIfGone = (): void => {
    if ((process.channel ?? undefined) !== undefined) return;
    // As Node's own `disconnect` does: what is still said then goes nowhere, where it would be an error.
    Reflect.set(process, 'connected', false);
    captured.setTimeout(ended, watchdogMs);
  };
  Object.defineProperty(process, 'disconnect', {
    value: () => void captured.setImmediate(endIfGone),
    configurable: true,
    writable: true,
  });
  // The daemon may have died while this process was starting.
  endIfGone();
}
