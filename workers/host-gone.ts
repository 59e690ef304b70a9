// A process cell's main thread sees by the channel of its fork that the daemon is gone. The watchdog sees it too, also
// while the plugin loops; whoever is first ends the process.
import { captured } from './primitives.ts';

/** Before any plugin runs, which finds a `disconnect` that does nothing. */
export function onHostGone(ended: () => void): void {
  // Node clears it when the channel has ended, and calls its `disconnect` a moment before.
  const endIfGone = (): void => {
    if ((process.channel ?? undefined) === undefined) ended();
  };
  Object.defineProperty(process, 'disconnect', {
    value: () => void captured.setImmediate(endIfGone),
    configurable: true,
    writable: true,
  });
  // The daemon may have died while this process was starting.
  endIfGone();
}
