// Events that come again and were found by a recovery beyond what may be in memory: they stay on disk, the one that is
// due first is read first, and each is read when it is due and there is room.
import type { Timer } from '../../time/clock.ts';
import { type AbsentOptions, type AbsentOwner, type StoredEvent, hasId } from './absent-events.ts';
import { type MovedEvent, decodeMoved } from './event-page.ts';
import type { QueueLedger } from './queue-ledger.ts';
import { eventKey, movedTable } from './queue-record.ts';
import type { StoredRetry } from './retry-recovery.ts';

export interface RetriesOwner extends AbsentOwner {
  /** They are queued, or wait until they are due. */
  comesAgain(moved: readonly MovedEvent[]): void;
}

const readAtOnce = 64;
const againMs = 1000;

export class StoredRetries {
  readonly #options: AbsentOptions;
  readonly #ledger: QueueLedger;
  readonly #owner: RetriesOwner;
  /** The one that is due first stands last. */
  #later: StoredRetry[] = [];
  #reading = false;
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: AbsentOptions, ledger: QueueLedger, owner: RetriesOwner) {
    this.#options = options;
    this.#ledger = ledger;
    this.#owner = owner;
  }

  get count(): number {
    return this.#later.length;
  }

  adopt(later: readonly StoredRetry[]): void {
    this.#later = [...later].sort((one, other) => other.retryAtMs - one.retryAtMs || other.place - one.place);
    this.#owner.queue.addAbsent(later.length);
  }

  /** All of them are done. Returns their places. */
  drop(): readonly number[] {
    const dropped = this.#later;
    this.#later = [];
    for (const { place, bytes } of dropped) this.#ledger.done({ place, bytes });
    this.#owner.queue.addAbsent(-dropped.length);
    return dropped.map(({ place }) => place);
  }

  /** Those with this id, at most so many. */
  async find(id: string, most: number): Promise<StoredEvent[]> {
    const { pluginId, store, clock } = this.#options;
    const found: StoredEvent[] = [];
    for (let at = this.#later.length - 1; at >= 0 && found.length < most; at -= 1) {
      const value = await store.kept.get(movedTable, eventKey(pluginId, this.#later[at]?.place ?? 0));
      const moved = value?.includes(id) === true ? decodeMoved(value.toString(), 0, clock) : undefined;
      if (moved !== undefined && hasId(moved.event, id))
        found.push({ event: moved.event, retryAtMs: moved.retryAtMs, ahead: this.#later.length - 1 - at });
    }
    return found;
  }

  needed(): void {
    const first = this.#later.at(-1);
    if (first === undefined || this.#reading || this.#closed) return;
    const { queue } = this.#owner;
    const waitMs = first.retryAtMs - this.#options.clock.wallMs();
    if (queue.bytes <= queue.maxBytes / 2 || (waitMs <= 0 && queue.bytes < queue.maxBytes)) void this.#readOn();
    else if (waitMs > 0) this.#wakeIn(waitMs);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #wakeIn(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(delayMs, () => this.needed());
  }

  async #readOn(): Promise<void> {
    const { pluginId, store, clock, onTrouble } = this.#options;
    const wanted = this.#next();
    this.#reading = true;
    try {
      const values = await Promise.all(
        wanted.map(({ place }) => store.kept.get(movedTable, eventKey(pluginId, place))),
      );
      this.#reading = false;
      // They were dropped meanwhile.
      if (this.#closed || this.#later.at(-1) !== wanted.at(-1)) return;
      const moved: MovedEvent[] = [];
      for (let at = wanted.length - 1; at >= 0; at -= 1) {
        const { place, bytes } = wanted[at] as StoredRetry;
        const found = decodeMoved(values[at]?.toString() ?? '', place, clock);
        if (found === undefined) this.#lost(place, bytes);
        else moved.push(found);
      }
      this.#later.length -= wanted.length;
      this.#owner.queue.addAbsent(-wanted.length);
      this.#owner.comesAgain(moved);
      this.#owner.wake();
      this.needed();
    } catch (thrown) {
      this.#reading = false;
      if (this.#closed) return;
      const error = thrown instanceof Error ? thrown : undefined;
      onTrouble('events that come again cannot be read now; they are read when the store works', error);
      this.#wakeIn(againMs);
    }
  }

  /** As many as there is room for, but one in any case. */
  #next(): StoredRetry[] {
    const { queue } = this.#owner;
    let room = queue.maxBytes - queue.bytes;
    let from = this.#later.length - 1;
    for (room -= this.#later[from]?.bytes ?? 0; from > 0 && this.#later.length - from < readAtOnce; from -= 1) {
      room -= this.#later[from - 1]?.bytes ?? 0;
      if (room < 0) break;
    }
    return this.#later.slice(from);
  }

  #lost(place: number, bytes: number): void {
    this.#ledger.done({ place, bytes });
    this.#owner.damaged(1);
  }
}
