// Attempts that failed, as they are known in the cluster: an event that comes to another member goes on with its next
// attempt, and one whose dead letter is there needs only to be acknowledged.
import { type AttemptStory, attemptStory } from '../../protocol/dead-letter.ts';
import { put, remove, storeKey } from '../../protocol/store/change.ts';
import type { PlacedRecords } from './placed-records.ts';

const table = 'attempts';
const letters = 'letters';
const noStory: readonly AttemptStory[] = [];

export class FailedAttempts {
  readonly #records: PlacedRecords;
  /** By the event's place in the stream. */
  readonly #stories = new Map<number, readonly AttemptStory[]>();
  readonly #buried = new Set<string>();

  constructor(records: PlacedRecords) {
    this.#records = records;
  }

  /** Of a new lease, from the records. */
  adopt(): void {
    this.#stories.clear();
    this.#buried.clear();
    for (const { key, value } of this.#records.inTable(table)) {
      const story = attemptStory.array().safeParse(parsed(value));
      if (story.success) this.#stories.set(Number.parseInt(key, 36), story.data);
    }
    for (const { value } of this.#records.inTable(letters)) {
      const { eventId, createdAt } = (parsed(value) ?? {}) as Readonly<Record<string, unknown>>;
      if (typeof eventId === 'string' && typeof createdAt === 'string') this.#buried.add(`${eventId} ${createdAt}`);
    }
  }

  storyOf(sequence: number): readonly AttemptStory[] {
    return this.#stories.get(sequence) ?? noStory;
  }

  wasBuried(eventId: string, createdAt: string): boolean {
    return this.#buried.size > 0 && this.#buried.has(`${eventId} ${createdAt}`);
  }

  note(sequence: number, story: readonly AttemptStory[]): void {
    this.#stories.set(sequence, story);
    // Nobody waits for it: what is not written is an attempt that is made once more.
    this.#records.commit([put(table, storeKey(sequence), JSON.stringify(story))]).catch(() => undefined);
  }

  ended(sequence: number): void {
    if (!this.#stories.delete(sequence)) return;
    this.#records.commit([remove(table, storeKey(sequence))]).catch(() => undefined);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // No member wrote it.
    return undefined;
  }
}
