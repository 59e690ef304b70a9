// Handlers whose result cannot be sent, or should not be; and one that is in order, to measure the others by.
export const deeds = {
  control: () => 'done',
  'function-result': () => () => 1,
  'symbol-result': () => Symbol('result'),
  'large-result': () => 'x'.repeat(100 * 1024 * 1024),
};
