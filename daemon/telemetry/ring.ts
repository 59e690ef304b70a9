// The newest so many of anything: what timelines, logs and slow subscribers keep. It takes memory only for what it
// holds, and the oldest goes when a new one finds no room.

const leastSlots = 16;

export class Ring<Item> {
  readonly capacity: number;
  #slots: (Item | undefined)[] = [];
  #first = 0;
  #size = 0;

  constructor(capacity: number) {
    if (!(capacity >= 1)) throw new RangeError(`a ring holds at least one, not ${String(capacity)}`);
    this.capacity = capacity;
  }

  get size(): number {
    return this.#size;
  }

  /** Answers the one that had to go. */
  push(item: Item): Item | undefined {
    const evicted = this.#size === this.capacity ? this.shift() : undefined;
    if (this.#size === this.#slots.length) this.#grow();
    this.#slots[(this.#first + this.#size) % this.#slots.length] = item;
    this.#size += 1;
    return evicted;
  }

  /** Puts back what was taken; false when its place is gone. */
  unshift(item: Item): boolean {
    if (this.#size === this.capacity) return false;
    if (this.#size === this.#slots.length) this.#grow();
    this.#first = (this.#first + this.#slots.length - 1) % this.#slots.length;
    this.#slots[this.#first] = item;
    this.#size += 1;
    return true;
  }

  /** Takes the oldest. */
  shift(): Item | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#slots[this.#first];
    this.#slots[this.#first] = undefined;
    this.#first = (this.#first + 1) % this.#slots.length;
    this.#size -= 1;
    return item;
  }

  /** From one place, counted from the oldest, for at most so many; oldest first. */
  slice(from: number, count: number): Item[] {
    const items: Item[] = [];
    const start = Math.max(0, from);
    const end = Math.min(this.#size, start + count);
    for (let at = start; at < end; at += 1) {
      // Every slot between the first and the size was filled by push.
      items.push(this.#slots[(this.#first + at) % this.#slots.length] as Item);
    }
    return items;
  }

  newest(count: number): Item[] {
    const wanted = Math.min(this.#size, Math.max(0, count));
    return this.slice(this.#size - wanted, wanted);
  }

  clear(): void {
    this.#slots = [];
    this.#first = 0;
    this.#size = 0;
  }

  #grow(): void {
    const kept = this.slice(0, this.#size);
    kept.length = Math.min(this.capacity, Math.max(leastSlots, this.#slots.length * 2));
    this.#slots = kept;
    this.#first = 0;
  }
}
