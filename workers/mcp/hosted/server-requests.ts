// The requests that are on their way to one hosted server: each has one answer, or ends with its deadline or the
// server.
import type { CallProgress } from '../../../protocol/cell/tool-messages.ts';
import { idStep, threadsFirstId } from '../../../protocol/mcp/server-call.ts';
import type { ServerWire } from './server-wire.ts';

export type RequestOutcome =
  | { readonly ok: true; readonly result: Record<string, unknown> }
  | {
      readonly ok: false;
      readonly number: number;
      readonly message: string;
      readonly data?: unknown;
      /** The server did not answer within the time of the request. */
      readonly timedOut?: true;
    };

interface OpenRequest {
  readonly settle: (outcome: RequestOutcome) => void;
  readonly progressed: ((progress: CallProgress) => void) | undefined;
  readonly timer: NodeJS.Timeout | undefined;
}

export interface WantedRequest {
  readonly method: string;
  /** JSON of an object. */
  readonly paramsJson: string;
  /** Left out where somebody else keeps the deadline. */
  readonly withinMs?: number;
  readonly progressed?: (progress: CallProgress) => void;
  /** The host has sent it with this id. */
  readonly sentId?: number | undefined;
}

const timedOutNumber = -32001;
const goneNumber = -32000;

export class ServerRequests {
  readonly #wire: Pick<ServerWire, 'send' | 'withdrawn'>;
  readonly #open = new Map<number, OpenRequest>();
  #next = threadsFirstId;
  #gone: string | undefined;

  constructor(wire: Pick<ServerWire, 'send' | 'withdrawn'>) {
    this.#wire = wire;
  }

  get pending(): number {
    return this.#open.size;
  }

  /** Of the request that is begun next. */
  get nextId(): number {
    return this.#next;
  }

  /** Answers the request's id beside what it comes to. */
  begin({ method, paramsJson, withinMs, progressed, sentId }: WantedRequest): {
    readonly id: number;
    readonly outcome: Promise<RequestOutcome>;
  } {
    const id = sentId ?? this.#next;
    if (sentId === undefined) this.#next += idStep;
    const outcome = new Promise<RequestOutcome>((resolve) => {
      if (this.#gone !== undefined) {
        resolve({ ok: false, number: goneNumber, message: this.#gone });
        return;
      }
      const timer =
        withinMs === undefined
          ? undefined
          : setTimeout(() => {
              this.withdraw(id, 'it took too long');
              resolve({
                ok: false,
                number: timedOutNumber,
                timedOut: true,
                message: `The server did not answer ${method} within ${String(Math.round(withinMs))} ms.`,
              });
            }, withinMs);
      this.#open.set(id, { settle: resolve, progressed, timer });
      if (sentId !== undefined) return;
      const begin = `{"jsonrpc":"2.0","id":${String(id)},"method":${JSON.stringify(method)}`;
      this.#wire.send(`${begin},"params":${paramsJson}}\n`, id);
    });
    return { id, outcome };
  }

  /** Nobody waits for it any more, and the server is told. */
  withdraw(id: number, reason: string): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    clearTimeout(open.timer);
    this.#open.delete(id);
    const params = { requestId: id, reason };
    this.#wire.send(`${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params })}\n`);
    this.#wire.withdrawn?.(id);
  }

  /** False where no such request is open. */
  settle(id: unknown, outcome: RequestOutcome): boolean {
    const open = typeof id === 'number' ? this.#open.get(id) : undefined;
    if (open === undefined || typeof id !== 'number') return false;
    clearTimeout(open.timer);
    this.#open.delete(id);
    open.settle(outcome);
    return true;
  }

  /** False where it belongs to no request. */
  progressed(token: unknown, progress: CallProgress): boolean {
    const open = typeof token === 'number' ? this.#open.get(token) : undefined;
    open?.progressed?.(progress);
    return open !== undefined;
  }

  end(message: string): void {
    this.#gone = message;
    for (const [id] of [...this.#open]) this.settle(id, { ok: false, number: goneNumber, message });
  }
}
