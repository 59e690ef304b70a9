// Calls from this daemon to other members, and of others to this one: each settles once, by its answer or its deadline.
import { type AskAnswer, type FromCluster, type ToCluster } from '../../protocol/cluster/messages.ts';
import { HostError, asHostError } from '../../protocol/errors.ts';
import type { Clock, Timer } from '../time/clock.ts';

export interface AskRequest {
  readonly member: string;
  readonly operation: string;
  /** JSON. */
  readonly params: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Carries out what another member asks; answers JSON. */
export type Perform = (
  operation: string,
  params: unknown,
  asked: { readonly member: string; readonly signal: AbortSignal },
) => Promise<string>;

export interface MemberAsksDeps {
  readonly clock: Clock;
  /** Calls that may wait. */
  readonly pending: number;
  readonly perform: Perform;
  post(message: ToCluster): void;
}

/** The thread has a deadline of its own; this one is for a thread that is gone. */
const marginMs = 7000;

export class MemberAsks {
  readonly #deps: MemberAsksDeps;
  readonly #waiting = new Map<number, { readonly member: string; readonly settle: (answer: AskAnswer) => void }>();
  readonly #performing = new Map<number, AbortController>();
  #last = 0;

  constructor(deps: MemberAsksDeps) {
    this.#deps = deps;
  }

  /** Resolves to JSON. */
  async ask(request: AskRequest): Promise<string> {
    return (await this.#answer(request, false)).json;
  }

  /** Resolves to what the JSON means, which the thread has read. */
  async value(request: AskRequest): Promise<unknown> {
    return (await this.#answer(request, true)).value;
  }

  async #answer(
    { member, operation, params, timeoutMs, signal }: AskRequest,
    parsed: boolean,
  ): Promise<Extract<AskAnswer, { ok: true }>> {
    const { clock, pending, post } = this.#deps;
    if (this.#waiting.size >= pending)
      throw new HostError('too_many_requests', `Already ${String(pending)} calls wait for other members.`, {
        limit: 'limits.clusterPending',
        maximum: pending,
      });
    const id = (this.#last += 1);
    return await new Promise((resolve, reject) => {
      const cancel = (): void => post({ type: 'cancel', id });
      const settle = (answer: AskAnswer): void => {
        timer.cancel();
        this.#waiting.delete(id);
        signal?.removeEventListener('abort', cancel);
        if (answer.ok) resolve(answer);
        else reject(new HostError(answer.code, answer.message, answer.details));
      };
      const timer: Timer = clock.after(timeoutMs + marginMs, () =>
        settle({
          ok: false,
          code: 'member_unavailable',
          message: `The member ${member} did not answer in time.`,
          details: { member },
        }),
      );
      this.#waiting.set(id, { member, settle });
      signal?.addEventListener('abort', cancel, { once: true });
      post({ type: 'ask', id, member, operation, params, timeoutMs, parsed });
    });
  }

  answered({ id, answer }: Extract<FromCluster, { type: 'answered' }>): void {
    this.#waiting.get(id)?.settle(answer);
  }

  /** Calls that wait for this member. */
  waitingFor(member: string): number {
    return [...this.#waiting.values()].filter((one) => one.member === member).length;
  }

  /** What waits for a member that is not there any more is told so. */
  keepOnly(members: ReadonlySet<string>): void {
    for (const { member, settle } of [...this.#waiting.values()])
      if (!members.has(member))
        settle({
          ok: false,
          code: 'member_unavailable',
          message: `The member ${member} is gone; whether the request took effect is not known.`,
          details: { member },
        });
  }

  asked({ id, member, operation, params, timeoutMs }: Extract<FromCluster, { type: 'asked' }>): void {
    const { clock, perform, post } = this.#deps;
    const controller = new AbortController();
    this.#performing.set(id, controller);
    const timer = clock.after(timeoutMs, () => controller.abort());
    void perform(operation, params, { member, signal: controller.signal })
      .then(
        (json): AskAnswer => ({ ok: true, json }),
        (thrown: unknown): AskAnswer => {
          const { code, message, details } = asHostError(thrown).toWire();
          return { ok: false, code, message, details };
        },
      )
      .then((answer) => {
        timer.cancel();
        // The thread that asked may be gone: the next one gives the same number to another call.
        if (this.#performing.get(id) !== controller) return;
        this.#performing.delete(id);
        post({ type: 'reply', id, answer });
      });
  }

  askCancelled(id: number): void {
    this.#performing.get(id)?.abort();
  }

  /** Nobody answers any more. */
  lost(why: string): void {
    for (const { settle } of [...this.#waiting.values()])
      settle({
        ok: false,
        code: 'cluster_unavailable',
        message: `The thread of the cluster is gone: ${why}.`,
        details: {},
      });
    for (const controller of this.#performing.values()) controller.abort();
    this.#performing.clear();
  }
}
