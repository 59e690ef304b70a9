// Keeps a process cell's register by what the cell says: there is no shared memory, and with one event on the way the
// word of the cell and the order of its messages are enough for exact blame.
import type { BatchMessage, ResultsMessage } from '../../../protocol/cell/messages.ts';
import type { BegunMessage } from '../../../protocol/cell/process-messages.ts';
import { type ProgressRegister, monotonicMs } from '../../../protocol/cell/register.ts';

interface Open {
  readonly sequence: number;
  readonly sentMs: number;
  beganMs?: number;
}

export class ReportedProgress {
  readonly #register: ProgressRegister;
  #open: Open | undefined;

  constructor(register: ProgressRegister) {
    this.#register = register;
  }

  /** Nothing is on the way or being executed. */
  get idle(): boolean {
    return this.#open === undefined;
  }

  sent({ first }: BatchMessage): void {
    this.#open = { sequence: first, sentMs: monotonicMs() };
  }

  /** False for an event that was not sent, or has begun before: no cell of ours says that. */
  begun({ sequence, atMs }: BegunMessage): boolean {
    const open = this.#open;
    if (open?.sequence !== sequence || open.beganMs !== undefined) return false;
    // Both read the same clock; a cell that says otherwise is held to what is possible.
    open.beganMs = Math.min(Math.max(atMs, open.sentMs), monotonicMs());
    this.#register.begin(sequence, open.beganMs);
    return true;
  }

  /** Before the results are told, so that whoever is told finds the register right. */
  ended({ through, failures, outputs }: ResultsMessage): void {
    const open = this.#open;
    if (open?.beganMs === undefined || through < open.sequence) return;
    const endedMs = monotonicMs();
    this.#open = undefined;
    this.#register.handleTimes.record(failures[0]?.durationMs ?? outputs[0]?.durationMs ?? endedMs - open.beganMs);
    this.#register.finish(open.sequence, endedMs);
  }
}
