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

  begin(callId: string, callerSignal: AbortSignal): NamedCall {
    if (this.#named.has(callId))
      throw invalid('invalid_request', 'The call', [
        { path: 'callId', message: 'names a call that is pending already' },
      ]);
    const controller = new AbortController();
    const follow = (): void => controller.abort(callerSignal.reason);
    if (callerSignal.aborted) follow();
    const unfollow = watchAbort(callerSignal, { aborted: follow });
    this.#named.set(callId, controller);
    return {
      signal: controller.signal,
      end: () => {
        unfollow();
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
