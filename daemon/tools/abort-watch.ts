// Many calls of one connection hang on its one abort signal. A listener for each would be searched through at every
// removal, and Node warns of more than ten: so each signal gets one listener, and the calls stand behind it.
import { Chain, type Link } from './chain.ts';

export interface Abortable {
  aborted(): void;
}

class Watch {
  readonly #signal: AbortSignal;
  readonly #waiting = new Chain<Abortable>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort);
  }

  add(call: Abortable): Link<Abortable> {
    return this.#waiting.append(call);
  }

  remove(link: Link<Abortable>): void {
    this.#waiting.remove(link);
  }

  readonly #onAbort = (): void => {
    watches.delete(this.#signal);
    for (const call of this.#waiting.items()) call.aborted();
  };
}

/** A connection's watch stays with its signal, and goes with it. */
const watches = new WeakMap<AbortSignal, Watch>();

/** Calls `aborted` when the signal aborts, until `unwatch`. */
export function watchAbort(signal: AbortSignal, call: Abortable): () => void {
  let watch = watches.get(signal);
  if (watch === undefined) {
    watch = new Watch(signal);
    watches.set(signal, watch);
  }
  const link = watch.add(call);
  const joined = watch;
  return () => joined.remove(link);
}
