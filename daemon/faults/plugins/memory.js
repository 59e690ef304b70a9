// Handlers that take memory until they are stopped. Each has a bound of its own, so that a host that does not stop them
// survives the attempt to find that out. What the last six take is on no heap.
import { createSecretKey } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import { createDeflate } from 'node:zlib';

const mebibyte = 1024 * 1024;
const never = new Promise(() => {});

const hold = async (held) => {
  await never;
  return held.length;
};

const pieceBytes = 16 * mebibyte;
const pieces = 56;

/** Takes 896 MiB piece by piece, and lets the event loop turn in between. */
async function pieceByPiece(take) {
  const held = [];
  while (held.length < pieces) {
    held.push(await take());
    await turn();
  }
  return hold(held);
}

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
  'shared-memory': () => pieceByPiece(() => new Uint8Array(new SharedArrayBuffer(pieceBytes)).fill(1)),
  'shared-webassembly': () => {
    const pages = pieceBytes / 65_536;
    const memory = new WebAssembly.Memory({ initial: 0, maximum: pages * pieces, shared: true });
    return pieceByPiece(() => {
      const from = memory.grow(pages) * 65_536;
      return new Uint8Array(memory.buffer, from).fill(1);
    });
  },
  blobs: () => pieceByPiece(() => new Blob([Buffer.alloc(pieceBytes, 1)])),
  'unread-messages': () => {
    const channel = new MessageChannel();
    const message = Buffer.alloc(pieceBytes, 1);
    return pieceByPiece(() => {
      channel.port1.postMessage(message);
      return channel;
    });
  },
  'zlib-streams': () => {
    const text = Buffer.alloc(65_536, 'a text that is compressed ');
    return pieceByPiece(() => {
      // Each holds some 400 KiB.
      const streams = Array.from({ length: 40 }, () => createDeflate({ memLevel: 9 }));
      return Promise.all(streams.map((stream) => new Promise((resolve) => stream.write(text, () => resolve(stream)))));
    });
  },
  'secret-keys': () => {
    const secret = Buffer.alloc(pieceBytes, 1);
    return pieceByPiece(() => createSecretKey(secret));
  },
};
