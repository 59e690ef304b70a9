// A list that keeps its order and lets go of any item at once. A Set does the same, but leaves its outgrown tables
// behind, and they keep what they held alive through collections: measured, that doubled the cost of a pooled call.

export interface Link<Item> {
  readonly item: Item;
  before: Link<Item> | undefined;
  after: Link<Item> | undefined;
  linked: boolean;
}

export class Chain<Item> {
  #first: Link<Item> | undefined;
  #last: Link<Item> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): Item | undefined {
    return this.#first?.item;
  }

  append(item: Item): Link<Item> {
    const link: Link<Item> = { item, before: this.#last, after: undefined, linked: true };
    if (this.#last === undefined) this.#first = link;
    else this.#last.after = link;
    this.#last = link;
    this.#size += 1;
    return link;
  }

  prepend(item: Item): Link<Item> {
    const link: Link<Item> = { item, before: undefined, after: this.#first, linked: true };
    if (this.#first === undefined) this.#last = link;
    else this.#first.before = link;
    this.#first = link;
    this.#size += 1;
    return link;
  }

  /** False where it was removed before. A removed link points at nothing, so that it keeps nothing alive. */
  remove(link: Link<Item>): boolean {
    if (!link.linked) return false;
    const { before, after } = link;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    link.before = undefined;
    link.after = undefined;
    link.linked = false;
    this.#size -= 1;
    return true;
  }

  items(): Item[] {
    const items: Item[] = [];
    for (let link = this.#first; link !== undefined; link = link.after) items.push(link.item);
    return items;
  }
}
