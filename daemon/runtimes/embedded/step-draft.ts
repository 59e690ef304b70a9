// What one step of a worker adds to its transcript, with the sequences that the items will have: they are written
// before they are shown.
import type { TranscriptItem } from '../../../protocol/runtime.ts';
import type { NewItem } from './transcript.ts';

export class StepDraft {
  /** Items that are new, in order. */
  readonly added: TranscriptItem[] = [];
  #total: number;

  constructor(total: number) {
    this.#total = total;
  }

  get total(): number {
    return this.#total;
  }

  add(item: NewItem): TranscriptItem {
    this.#total += 1;
    const added = { sequence: this.#total, ...item };
    this.added.push(added);
    return added;
  }
}
