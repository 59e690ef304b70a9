// Handlers that do not come back: in JavaScript, in a promise, and in native code.
import { execSync } from 'node:child_process';
import { pbkdf2Sync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** A module with one function that branches to itself. */
const endlessModule = new Uint8Array([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // header
  1, 4, 1, 0x60, 0, 0, // a type: () -> ()
  3, 2, 1, 0, // a function of it
  7, 8, 1, 4, 0x6c, 0x6f, 0x6f, 0x70, 0, 0, // exported as "loop"
  10, 9, 1, 7, 0, 3, 0x40, 0x0c, 0, 0x0b, 0x0b, // loop { br 0 }
]);

/** Named pipes that the kit has made and nobody writes to. */
const fifo = (name) => new URL(`./${name}.fifo`, import.meta.url);

export const deeds = {
  'sync-loop': () => {
    for (;;);
  },
  'never-resolves': () => new Promise(() => {}),
  'endless-microtasks': async () => {
    for (;;) await null;
  },
  'atomics-wait': () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
  'catastrophic-regex': () => /^(a+)+$/.test(`${'a'.repeat(64)}!`),
  'endless-webassembly': () => new WebAssembly.Instance(new WebAssembly.Module(endlessModule)).exports.loop(),
  'exec-sync': () => execSync('sleep 30').length,
  'pbkdf2-sync': () => pbkdf2Sync('password', 'salt', 1e9, 64, 'sha512').length,
  'read-fifo': () => readFileSync(fifo('0')).length,
  'blocked-pool': () => Promise.all(['0', '1', '2', '3'].map((name) => readFile(fifo(name)))),
  'large-sort': () => {
    const numbers = new Float64Array(1e7);
    for (let at = 0; at < numbers.length; at += 1) numbers[at] = (at * 7919) % 1e7;
    for (let round = 0; round < 2; round += 1) numbers.sort().reverse();
    return 'done';
  },
};
