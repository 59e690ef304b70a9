// The calls that a client may cancel by a name it chose: what tool.cancel looks in.
import { invalid } from '../../protocol/errors.ts';
import { watchAbort } from './abort-watch.ts';

export interface NamedCall {
  /** Aborted by tool.cancel and by the caller's own signal. */
  readonly signal: AbortSignal;
  end(): void;
}

export class ToolCalls {
  readonly #named = new Map<string, AbortController>();

  /** `own`: the caller's controller where the call has it for itself. */
  begin(callId: string, callerSignal: AbortSignal, own?: AbortController): NamedCall {
    if (this.#named.has(callId))
      throw invalid('invalid_request', 'The call', [
        { path: 'callId', message: 'names a call that is pending already' },
      ]);
    const controller = own ?? new AbortController();
    const unfollow = own === undefined ? followed(controller, callerSignal) : undefined;
    this.#named.set(callId, controller);
    return {
      signal: controller.signal,
      end: () => {
        unfollow?.();
        // The name may be another call's by now.
        if (this.#named.get(callId) === controller) this.#named.delete(callId);
      },
    };
  }

  /** False where no such call is pending. */
  cancel(callId: string): boolean {
    const controller = this.#named.get(callId);
    if (controller === undefined || controller.signal.aborted) return false;
    controller.abort('tool.cancel');
    return true;
  }
}

/** Answers how to stop following. */
function followed(controller: AbortController, signal: AbortSignal): () => void {
  const follow = (): void => controller.abort(signal.reason);
  if (signal.aborted) follow();
  return watchAbort(signal, { aborted: follow });
}
