// Small checks of values that come from where plugins live: a message is taken only if each of its fields has the
// expected form.

export const isText = (value: unknown): value is string => typeof value === 'string';
export const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
/** Of milliseconds or bytes, with a fraction or without. */
export const isAmount = (value: unknown): value is number =>
  typeof value === 'number' && value >= 0 && value < Number.MAX_SAFE_INTEGER;
