// Handlers that take memory until they are stopped. Each has a bound of its own, so that a host that does not stop them
// survives the attempt to find that out.
const mebibyte = 1024 * 1024;
const never = new Promise(() => {});

const hold = async (held) => {
  await never;
  return held.length;
};

export const deeds = {
  'heap-arrays': () => {
    const held = [];
    while (held.length < 3000) held.push(new Array(mebibyte / 8).fill(held.length));
    return hold(held);
  },
  'heap-one-array': () => {
    const held = [];
    for (let at = 0; at < 2 ** 27 - 100; at += 1) held.push(at);
    return hold(held);
  },
  'heap-map': () => {
    const held = new Map();
    for (let at = 0; at < 2 ** 24 - 100; at += 1) held.set(`key ${at}`, { at });
    return hold(held);
  },
  buffers: async () => {
    const held = [];
    while (held.length < 1500) {
      held.push(Buffer.alloc(mebibyte, 1));
      if (held.length % 16 === 0) await null;
    }
    return hold(held);
  },
};
