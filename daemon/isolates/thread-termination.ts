// Ends a thread, and goes on ordering its end until it is gone: V8 takes an order back when it comes just as the thread
// answers a question of the inspector, and the thread would run on.

import { threadInspector } from './thread-inspector.ts';

export interface EndableThread {
  readonly threadId?: number;
  terminate(): unknown;
  once(event: 'exit', listener: () => void): unknown;
  setMaxListeners?(most: number): unknown;
}

const firstAgainMs = 25;
const longestAgainMs = 5000;
/** About a minute and a half; what lives on then sits in native code. */
const mostOrders = 24;

export function terminateThread(thread: EndableThread): void {
  if (thread.threadId !== undefined) threadInspector.dismiss(thread.threadId);
  let timer: NodeJS.Timeout | undefined;
  let gone = false;
  // Node adds a listener at each order.
  thread.setMaxListeners?.(0);
  thread.once('exit', () => {
    gone = true;
    clearTimeout(timer);
  });
  const order = (orders: number, againMs: number): void => {
    if (gone) return;
    void thread.terminate();
    if (orders < mostOrders)
      timer = setTimeout(() => order(orders + 1, Math.min(againMs * 2, longestAgainMs)), againMs).unref();
  };
  order(1, firstAgainMs);
}
