// What one turn of the event loop has gathered goes to another thread as one message: a message costs both threads more
// than what is in it. The turn is at its end when all sockets that had something were read.
export class Gathered<Item> {
  readonly #post: (items: readonly Item[]) => void;
  #items: Item[] = [];

  constructor(post: (items: readonly Item[]) => void) {
    this.#post = post;
  }

  add(item: Item): void {
    if (this.#items.push(item) === 1) setImmediate(() => this.flush());
  }

  /** Now, and not at the end of the turn. */
  flush(): void {
    if (this.#items.length === 0) return;
    const items = this.#items;
    this.#items = [];
    this.#post(items);
  }
}
