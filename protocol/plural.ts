// Words of messages that depend on a number or on what stands before them.

/** `1 event`, `2 events`; the words may go on with a verb: `plural(1, 'event waits', 'events wait')`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${String(count)} ${count === 1 ? one : many}`;
}

/** What a plugin or Node said, as a sentence that others may follow. */
export const sentence = (text: string): string => (/[.!?…]$/.test(text) ? text : `${text}.`);
