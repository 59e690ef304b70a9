// Handlers that throw or reject, with things that are errors and things that are not.
const circular = () => {
  const error = new Error('its cause is itself');
  error.cause = error;
  return error;
};

const deeper = (depth) => 1 + deeper(depth + 1);

async function* broken() {
  yield 1;
  throw new Error('the generator broke');
}

export const deeds = {
  'throw-error': () => {
    throw new Error('thrown by the handler');
  },
  'throw-null': () => {
    throw null;
  },
  'throw-undefined': () => {
    throw undefined;
  },
  'throw-string': () => {
    throw 'just a text';
  },
  'throw-getter': () => {
    throw { get message() { throw new Error('even its message throws'); }, get stack() { throw new Error('and its stack'); } };
  },
  'circular-cause': () => Promise.reject(circular()),
  'stack-overflow': () => deeper(0),
  'async-generator': async () => {
    let sum = 0;
    for await (const value of broken()) sum += value;
    return sum;
  },
};
