// Many calls of one connection hang on its one abort signal. A listener for each would be searched through at every
// removal, and Node warns of more than ten: so each signal gets one listener, and the calls stand behind it.

interface Watch {
  readonly calls: Set<() => void>;
  readonly listener: () => void;
}

const watches = new WeakMap<AbortSignal, Watch>();

/** Runs `aborted` when the signal aborts, unless the function that comes back was called before. */
export function onAbort(signal: AbortSignal, aborted: () => void): () => void {
  const watch = watches.get(signal) ?? begin(signal);
  // A function may be given twice; each stands for itself.
  const call = (): void => aborted();
  watch.calls.add(call);
  return () => {
    if (!watch.calls.delete(call) || watch.calls.size > 0 || watches.get(signal) !== watch) return;
    watches.delete(signal);
    signal.removeEventListener('abort', watch.listener);
  };
}

function begin(signal: AbortSignal): Watch {
  const calls = new Set<() => void>();
  const listener = (): void => {
    watches.delete(signal);
    for (const call of calls) call();
    calls.clear();
  };
  signal.addEventListener('abort', listener, { once: true });
  const watch = { calls, listener };
  watches.set(signal, watch);
  return watch;
}
