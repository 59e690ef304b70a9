// How a cell writes a text into shared memory: by a function that it took before the plugin was there to change it.

/** Writes a text as UTF-8 and answers how many bytes that took. */
export type TextWriter = (this: Buffer, text: string, start: number, length: number) => number;
