// The calls that a thread or process was given together, most often one. They run one after the other; each is
// answered, blamed and taken back for itself.
import type { PendingCall } from './pending-call.ts';
import type { PoolRun } from './pools/tool-pool.ts';

export class CallBatch {
  readonly toolName: string;
  /** Not answered by their cell yet, in their order. */
  readonly open: PendingCall[];
  /** Where they run, once they do. */
  run: PoolRun | undefined;
  handedOverMs = 0;
  /** When the host last saw one of them come to its end, or handed them over. */
  movedMs = 0;
  #size = 0;

  constructor(first: PendingCall) {
    this.toolName = first.toolName;
    this.open = [first];
  }

  /** None of the calls handed over has come to its end. */
  get noProgress(): boolean {
    return this.open.length === this.#size;
  }

  /** How many wait behind the one whose turn it is. */
  get behind(): number {
    return Math.max(0, this.open.length - 1);
  }

  handedOver(run: PoolRun, atMs: number): void {
    this.run = run;
    this.handedOverMs = atMs;
    this.movedMs = atMs;
    this.#size = this.open.length;
    for (const call of this.open) {
      call.handOver(atMs);
      call.run = run;
    }
  }

  /** The call of this number, which is now through. */
  settle(number: number, atMs: number): PendingCall | undefined {
    // They come to their end in their order, but an answer that goes by message may be heard late.
    const at = this.open[0]?.task.call === number ? 0 : this.open.findIndex(({ task }) => task.call === number);
    if (at === -1) return undefined;
    this.movedMs = atMs;
    return at === 0 ? this.open.shift() : this.open.splice(at, 1)[0];
  }

  /** Those that had not begun are no part of it any more. */
  takeBack(count: number, atMs: number): PendingCall[] {
    const calls = this.open.splice(this.open.length - count, count);
    for (const call of calls) call.comeBack(atMs);
    this.#size -= calls.length;
    return calls;
  }
}
