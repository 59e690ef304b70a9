// A run of one call, as pools have it that give each cell one call at a time: all comes with its end.
import type { ToolAnswer, ToolTask } from '../../../protocol/cell/tool-messages.ts';
import type { RunEnd, RunListener } from './tool-pool.ts';

export type LoneEnd = RunEnd | { readonly kind: 'answered'; readonly answer: ToolAnswer };

export class LoneRun {
  readonly call: number;
  readonly #listener: RunListener;

  constructor({ call }: ToolTask, listener: RunListener) {
    this.call = call;
    this.#listener = listener;
  }

  collect(): void {
    // Its answer comes with its end.
  }

  withdraw(): number {
    // Nothing waits behind its one call.
    return 0;
  }

  protected tell(end: LoneEnd): void {
    if (end.kind === 'answered') this.#listener.answered(this.call, end.answer);
    this.#listener.ended(end.kind === 'answered' ? { kind: 'over' } : end);
  }
}

/** For pools whose runs take one call. */
export function onlyTask([task]: readonly ToolTask[]): ToolTask {
  if (task === undefined) throw new Error('a run has a call');
  return task;
}
