// Calls of tools, as the MCP thread asks the host for them: each has an answer, and ends when its client does not want
// it any more.
import type { CallProgress } from '../../protocol/cell/tool-messages.ts';
import type { FromMcpThread, Refusal, ToMcpThread } from '../../protocol/mcp/messages.ts';

export type CallOutcome =
  | { readonly ok: true; readonly json: string }
  | { readonly ok: false; readonly refusal: Refusal }
  /** The client has withdrawn it: nobody waits for an answer. */
  | { readonly ok: false; readonly refusal: undefined };

interface WantedCall {
  readonly plugin: string;
  readonly tool: string;
  readonly input: unknown;
  readonly progressed: ((progress: CallProgress) => void) | undefined;
}

interface OpenCall {
  readonly settle: (outcome: CallOutcome) => void;
  readonly progressed: WantedCall['progressed'];
}

type AnswerMessage = Extract<ToMcpThread, { readonly type: 'answer' | 'refusal' | 'progress' }>;

export class HostCalls {
  readonly #post: (message: FromMcpThread) => void;
  readonly #open = new Map<number, OpenCall>();
  #next = 1;

  constructor(post: (message: FromMcpThread) => void) {
    this.#post = post;
  }

  call({ signal, ...wanted }: WantedCall & { readonly signal: AbortSignal }): Promise<CallOutcome> {
    return new Promise((resolve) => {
      if (signal.aborted) {
        resolve({ ok: false, refusal: undefined });
        return;
      }
      const withdraw = (): void => end(signal.reason);
      signal.addEventListener('abort', withdraw, { once: true });
      const end = this.begin(wanted, (outcome) => {
        signal.removeEventListener('abort', withdraw);
        resolve(outcome);
      });
    });
  }

  /** Answers how to withdraw it, which has no effect once it is settled. */
  begin({ plugin, tool, input, progressed }: WantedCall, settle: OpenCall['settle']): (reason: unknown) => void {
    const call = this.#next++;
    this.#open.set(call, { progressed, settle });
    const inputJson = JSON.stringify(input) ?? 'null';
    this.#post({ type: 'call', call, plugin, tool, inputJson, progress: progressed !== undefined });
    return (reason) => {
      if (!this.#open.delete(call)) return;
      this.#post({ type: 'cancel', call, reason: reasonOf(reason) });
      settle({ ok: false, refusal: undefined });
    };
  }

  receive(message: AnswerMessage): void {
    const open = this.#open.get(message.call);
    if (open === undefined) return;
    if (message.type === 'progress') {
      open.progressed?.(message.progress);
      return;
    }
    this.#open.delete(message.call);
    open.settle(message.type === 'answer' ? { ok: true, json: message.json } : { ok: false, refusal: message.error });
  }
}

/** A client's own words, for the error of the call it withdrew. */
function reasonOf(reason: unknown): string {
  const words = reason instanceof Error ? reason.message : typeof reason === 'string' ? reason : '';
  return words === '' ? 'the MCP client withdrew it' : `the MCP client withdrew it: ${words.slice(0, 200)}`;
}
