// How far the members of a shared service had been listed where a page of its dead letters ended, so that the next page
// asks each of them only for what comes then. What is not known any more costs a look from the beginning.

/** By member, the id of its last letter on the pages so far; undefined: it has had none there. */
export type LetterPlaces = ReadonlyMap<string, string | undefined>;

/** Pages of which it is known. */
const mostPages = 100;

export class SeenLetters {
  readonly #places = new Map<string, LetterPlaces>();

  /** `page`: the service, which member has which of its partitions, and the last letter of the page. */
  of(page: string): LetterPlaces | undefined {
    return this.#places.get(page);
  }

  keep(page: string, places: LetterPlaces): void {
    this.#places.delete(page);
    this.#places.set(page, places);
    const [oldest] = this.#places.keys();
    if (this.#places.size > mostPages && oldest !== undefined) this.#places.delete(oldest);
  }
}
