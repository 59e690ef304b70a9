// UUIDv7 for correlation ids: they sort by time, which makes a log and a queue readable. Written by hand because
// every event of the hot path gets one, and a counter within the millisecond is cheaper than fresh randomness.
import { randomFillSync } from 'node:crypto';

const randomBlock = Buffer.alloc(4096);
let randomAt = randomBlock.length;
let lastMs = 0;
let counter = 0;

const hexPairs = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function randomByte(): number {
  if (randomAt === randomBlock.length) {
    randomFillSync(randomBlock);
    randomAt = 0;
  }
  return randomBlock[randomAt++] ?? 0;
}

/** Ids made by one process never go backwards, even where its clock does. */
export function uuidv7(nowMs: number = Date.now()): string {
  if (nowMs > lastMs) {
    lastMs = nowMs;
    counter = randomByte() << 2;
  } else if (++counter > 0xfff) {
    lastMs += 1;
    counter = randomByte() << 2;
  }
  const time = lastMs.toString(16).padStart(12, '0');
  const ordered = (0x7000 | counter).toString(16);
  const hex = (): string => hexPairs[randomByte()] ?? '00';
  const variant = (0x80 | (randomByte() & 0x3f)).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8)}-${ordered}-${variant}${hex()}-${hex()}${hex()}${hex()}${hex()}${hex()}${hex()}`;
}
