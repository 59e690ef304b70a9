// Handlers that take what all plugins of a daemon share, and give nothing of it back. Each has a bound of its own, so that a
// host that does not stop them survives the attempt to find that out.
import { pbkdf2 } from 'node:crypto';
import { opendir } from 'node:fs/promises';
import { connect, createServer } from 'node:net';

const never = new Promise(() => {});

/** Keeps what it has until its cell is ended, unless the guard refuses more. */
async function leak(most, take) {
  const held = [];
  try {
    while (held.length < most) held.push(await take());
  } catch (error) {
    if (error.code === 'ERR_NAGAYA_DENIED') throw error;
    // The system has no more for this process.
  }
  await never;
  return held.length;
}

/** Its server has the other end, so that each takes two descriptors. */
async function socketTo(server) {
  const socket = connect(server.address().port, '127.0.0.1');
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return socket;
}

export const deeds = {
  'filled-pool': () => {
    const job = () => new Promise((resolve, reject) => pbkdf2('secret', 'salt', 6_000_000, 64, 'sha512', (error, key) => (error === null ? resolve(key) : reject(error))));
    return Promise.all(Array.from({ length: 8 }, job));
  },
  'leaked-sockets': async () => {
    const server = createServer();
    const ends = [];
    server.on('connection', (end) => ends.push(end));
    await new Promise((resolve, reject) => server.listen(0, '127.0.0.1', resolve).once('error', reject));
    return leak(3000, () => socketTo(server));
  },
  'leaked-folders': () => leak(6000, () => opendir('/')),
};
