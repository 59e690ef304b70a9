// The events that a lane has sent to its cell and that are not settled, in the order of their sequences. An event that
// was taken back leaves an empty place, because the cell still passes over its sequence.
import type { QueuedEvent, Waiter } from './queued-event.ts';

const isThere = (event: QueuedEvent | undefined): event is QueuedEvent => event !== undefined;

export class SentEvents {
  #places: (QueuedEvent | undefined)[] = [];
  #empty = 0;

  /** Sequences, those of empty places included. */
  get length(): number {
    return this.#places.length;
  }

  /** Events. */
  get count(): number {
    return this.#places.length - this.#empty;
  }

  get first(): QueuedEvent | undefined {
    return this.#empty === 0 ? this.#places[0] : this.#places.find(isThere);
  }

  /** The first has place 0. */
  at(place: number): QueuedEvent | undefined {
    return this.#places[place];
  }

  /** -1 if it is not here. */
  placeOf(waiter: Waiter): number {
    return this.#places.findIndex((event) => event?.waiter === waiter);
  }

  push(event: QueuedEvent): void {
    this.#places.push(event);
  }

  /** Leaves an empty place. */
  withdraw(place: number): QueuedEvent | undefined {
    const event = this.#places[place];
    this.#places[place] = undefined;
    this.#empty += 1;
    return event;
  }

  /** Takes the first places away, empty ones included. */
  take(places: number): readonly (QueuedEvent | undefined)[] {
    const taken = this.#places.splice(0, places);
    if (this.#empty > 0) this.#empty -= taken.filter((event) => event === undefined).length;
    return taken;
  }

  /** The events in the first places. They stay. */
  list(places = this.#places.length): QueuedEvent[] {
    return this.#places.slice(0, places).filter(isThere);
  }

  clear(): QueuedEvent[] {
    const rest = this.list();
    this.#places = [];
    this.#empty = 0;
    return rest;
  }
}
