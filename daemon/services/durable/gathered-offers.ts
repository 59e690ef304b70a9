// What has arrived and is not on its way to the disk yet: events to be stored, and between them those that are not
// stored and keep their place.
import type { QueuedEvent, Waiter } from '../../dispatch/queued-event.ts';
import type { Follower, Offer } from './kept-contract.ts';

const mostOffersOfCommit = 4096;
const mostBytesOfCommit = 4 * 1024 * 1024;

export type Gathered = Offer | Follower;

export class GatheredOffers {
  #entries: Gathered[] = [];
  #offers = 0;
  #bytes = 0;
  /** Offers without an answer, those that are on their way to the disk included. */
  pending = 0;
  pendingBytes = 0;

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  get hasOffers(): boolean {
    return this.#offers > 0;
  }

  offer(offer: Offer): void {
    this.#entries.push(offer);
    this.#offers += 1;
    this.#bytes += offer.event.bytes;
    this.pending += 1;
    this.pendingBytes += offer.event.bytes;
  }

  answered({ bytes }: QueuedEvent): void {
    this.pending -= 1;
    this.pendingBytes -= bytes;
  }

  follow(event: QueuedEvent): void {
    this.#entries.push({ follows: event });
  }

  /** Takes a follower out that is not queued yet. */
  withdraw(waiter: Waiter): QueuedEvent | undefined {
    const at = this.#entries.findIndex((entry) => 'follows' in entry && entry.follows.waiter === waiter);
    const [entry] = at === -1 ? [] : this.#entries.splice(at, 1);
    return entry !== undefined && 'follows' in entry ? entry.follows : undefined;
  }

  /** As many offers as one commit takes, with what stands between them. */
  take(): readonly Gathered[] {
    const all = this.#entries;
    const end = this.#fits ? all.length : this.#end();
    this.#entries = end === all.length ? [] : all.slice(end);
    const taken = end === all.length ? all : all.slice(0, end);
    this.#offers = 0;
    this.#bytes = 0;
    for (const entry of this.#entries) if ('event' in entry) this.#count(entry);
    return taken;
  }

  get #fits(): boolean {
    return this.#offers <= mostOffersOfCommit && (this.#offers <= 1 || this.#bytes <= mostBytesOfCommit);
  }

  /** The first entry that the commit has no room for. */
  #end(): number {
    let offers = 0;
    let bytes = 0;
    const end = this.#entries.findIndex((entry) => {
      if (!('event' in entry)) return false;
      offers += 1;
      bytes += entry.event.bytes;
      return offers > mostOffersOfCommit || (offers > 1 && bytes > mostBytesOfCommit);
    });
    return end === -1 ? this.#entries.length : end;
  }

  #count({ event }: Offer): void {
    this.#offers += 1;
    this.#bytes += event.bytes;
  }
}
