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
  readonly signal: AbortSignal;
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

  call({ plugin, tool, input, signal, progressed }: WantedCall): Promise<CallOutcome> {
    const call = this.#next++;
    return new Promise((resolve) => {
      if (signal.aborted) {
        resolve({ ok: false, refusal: undefined });
        return;
      }
      const withdraw = (): void => {
        this.#open.delete(call);
        this.#post({ type: 'cancel', call, reason: reasonOf(signal.reason) });
        resolve({ ok: false, refusal: undefined });
      };
      signal.addEventListener('abort', withdraw, { once: true });
      this.#open.set(call, {
        progressed,
        settle: (outcome) => {
          signal.removeEventListener('abort', withdraw);
          resolve(outcome);
        },
      });
      this.#post({
        type: 'call',
        call,
        plugin,
        tool,
        inputJson: JSON.stringify(input) ?? 'null',
        progress: progressed !== undefined,
      });
    });
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
