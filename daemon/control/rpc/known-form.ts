// A form that texts must have. The same text comes again and again, and to look at it costs more than to remember it.

export class KnownForm {
  readonly #form: RegExp;
  #last: string | undefined;

  constructor(form: RegExp) {
    this.#form = form;
  }

  fits(text: string): boolean {
    if (text === this.#last) return true;
    if (!this.#form.test(text)) return false;
    this.#last = text;
    return true;
  }
}
