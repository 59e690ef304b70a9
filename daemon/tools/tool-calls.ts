// The calls that a client may cancel by a name it chose: what tool.cancel looks in.
import { invalid } from '../../protocol/errors.ts';
import { watchAbort } from './abort-watch.ts';

export interface NamedCall {
  /** Aborted by tool.cancel and by the caller's own signal. */
  readonly signal: AbortSignal;
  end(): void;
}

const maxSpare = 64;

export class ToolCalls {
  readonly #named = new Map<string, AbortController>();
  /** Of calls that are over: nobody listens to them any more, and to make one costs more than the rest of a name. */
  readonly #spare: AbortController[] = [];

  /** `own`: the caller's controller where the call has it for itself. */
  begin(callId: string, callerSignal: AbortSignal, own?: AbortController): NamedCall {
    if (this.#named.has(callId))
      throw invalid('invalid_request', 'The call', [
        { path: 'callId', message: 'names a call that is pending already' },
      ]);
    const controller = own ?? this.#spare.pop() ?? new AbortController();
    const unfollow = own === undefined ? followed(controller, callerSignal) : undefined;
    this.#named.set(callId, controller);
    let over = false;
    return {
      signal: controller.signal,
      end: () => {
        if (over) return;
        over = true;
        unfollow?.();
        if (own === undefined && !controller.signal.aborted && this.#spare.length < maxSpare)
          this.#spare.push(controller);
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
