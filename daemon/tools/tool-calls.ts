// The calls that a client may cancel by a name it chose: what tool.cancel looks in.
import { invalid } from '../../protocol/errors.ts';
import { watchAbort } from './abort-watch.ts';

export interface BegunCall {
  /** Aborted by tool.cancel and by the caller's own signal. */
  readonly signal: AbortSignal;
  end(): void;
}

export class ToolCalls {
  readonly #named = new Map<string, AbortController>();
  #pending = 0;

  get pending(): number {
    return this.#pending;
  }

  begin(callId: string | undefined, callerSignal: AbortSignal): BegunCall {
    if (callId === undefined) return this.#begun(callerSignal, () => undefined);
    if (this.#named.has(callId)) throw invalid('invalid_request', 'The call', [{ path: 'callId', message: 'names a call that is pending already' }]);
    const controller = new AbortController();
    const follow = (): void => controller.abort(callerSignal.reason);
    if (callerSignal.aborted) follow();
    const unfollow = watchAbort(callerSignal, { aborted: follow });
    this.#named.set(callId, controller);
    return this.#begun(controller.signal, () => {
      unfollow();
      this.#named.delete(callId);
    });
  }

  /** False where no such call is pending. */
  cancel(callId: string): boolean {
    const controller = this.#named.get(callId);
    if (controller === undefined || controller.signal.aborted) return false;
    controller.abort('tool.cancel');
    return true;
  }

  #begun(signal: AbortSignal, forget: () => void): BegunCall {
    let ended = false;
    this.#pending += 1;
    return {
      signal,
      end: () => {
        if (ended) return;
        ended = true;
        this.#pending -= 1;
        forget();
      },
    };
  }
}
