// Deliveries that ended because their member died or lost its lease, as the cluster knows them. They raise the attempt
// of each event that may have begun. An event that was lost so more than once may be what takes members down: it comes
// alone then, and where its member dies all the same, that counts as an attempt that failed.
import type { AttemptStory } from '../../protocol/dead-letter.ts';
import type { LostTenure } from '../../protocol/cluster/messages.ts';
import { put, remove } from '../../protocol/store/change.ts';
import type { PlacedRecords } from './placed-records.ts';

const table = 'begun';
const keys = { ends: 'ends', alone: 'alone' } as const;
/** Of members: an event that outlives more of them is counted no further. */
const mostEnds = 20;

export class LostDeliveries {
  readonly #records: PlacedRecords;
  /** For each end, up to which place in the stream events may have begun. */
  #ends: readonly number[] = [];
  /** The event that was alone on a member that died. */
  #charged: number | undefined;

  constructor(records: PlacedRecords) {
    this.#records = records;
  }

  /** Of a new lease, from the records; `lost`: the one before it was not given back. */
  adopt(lost: LostTenure | undefined): void {
    const found = new Map(this.#records.inTable(table).map(({ key, value }) => [key, value]));
    const ends = numbersIn(found.get(keys.ends));
    const [alone] = numbersIn(found.get(keys.alone));
    this.#charged = lost?.died === true ? alone : undefined;
    // Nobody died while it was alone: the next member that dies may do so before it is alone again.
    if (alone !== undefined && this.#charged === undefined) this.aloneNoMore();
    this.#ends = lost === undefined || lost.upTo === 0 ? ends : [...ends, lost.upTo].slice(-mostEnds);
    // Nobody waits for it: what is not written is an end that is not counted.
    if (this.#ends !== ends) this.#commit(put(table, keys.ends, JSON.stringify(this.#ends)));
  }

  isSuspect(sequence: number): boolean {
    return this.#countOf(sequence) > 1;
  }

  /** With the delivery that is to be counted, if there is one. */
  storyOf(sequence: number, story: readonly AttemptStory[]): readonly AttemptStory[] {
    if (this.#charged !== sequence) return story;
    this.#charged = undefined;
    const chapter: AttemptStory = {
      attempt: this.attemptOf(sequence, story) - 1,
      at: new Date().toISOString(),
      incarnation: 0,
      error: { code: 'cell_crashed', message: 'The member died while it handled this event and no other.' },
    };
    return [...story, chapter];
  }

  /** An event that has failed may have waited for its retry when its member died: the greater of both numbers. */
  attemptOf(sequence: number, story: readonly AttemptStory[]): number {
    return Math.max(story.at(-1)?.attempt ?? 0, this.#countOf(sequence)) + 1;
  }

  /** Resolves when the cluster knows that no other event is handled from here on. */
  alone(sequence: number): Promise<void> {
    return this.#records.commit([put(table, keys.alone, JSON.stringify([sequence]))]);
  }

  /** It has ended, and the member lives. */
  aloneNoMore(): void {
    this.#commit(remove(table, keys.alone));
  }

  #countOf(sequence: number): number {
    return this.#ends.length === 0 ? 0 : this.#ends.filter((upTo) => sequence <= upTo).length;
  }

  #commit(change: Parameters<PlacedRecords['commit']>[0][number]): void {
    this.#records.commit([change]).catch(() => undefined);
  }
}

function numbersIn(text: string | undefined): readonly number[] {
  try {
    const found: unknown = JSON.parse(text ?? '[]');
    return Array.isArray(found) ? found.filter((one): one is number => Number.isSafeInteger(one)) : [];
  } catch {
    // No member wrote it.
    return [];
  }
}
