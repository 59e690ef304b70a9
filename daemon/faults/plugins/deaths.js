// Handlers that end their whole process where no guard can prevent it: V8 aborts, or runs on inside one native function. None
// of them takes more than some 2 GB.
const never = new Promise(() => {});

export const deeds = {
  'regex-at-stack-end': () => {
    const walk = (n) => {
      try {
        return walk(n + 1);
      } catch (error) {
        return error.message.replace(/a+b/, '-');
      }
    };
    walk(0);
    return 'done';
  },
  'split-huge': () => 'x'.repeat(2 ** 28).split('').length,
  'sort-holes': () => [].sort.call({ length: 2 ** 27 }).length,
  'match-all': () => 'x'.repeat(2 ** 27).match(/x/g).length,
  'array-from': () => Array.from({ length: 2 ** 28 }).length,
  'slice-typed': () => [].slice.call(new Uint8Array(2 ** 28)).length,
  // From outside: the kit does it while the handler waits.
  'killed-outside': () => never,
  'segfault-outside': () => never,
};
