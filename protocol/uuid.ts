// UUIDv7 for correlation ids: they sort by time, which makes a log and a queue readable. Written by hand because
// every event of the hot path gets one: randomness is drawn and written in blocks, and a millisecond's text is made once.
import { randomBytes } from 'node:crypto';

const blockBytes = 4096;
/** Random digits of one id. */
const digits = 16;

let block = '';
let blockAt = 0;
let lastMs = 0;
let lastText = '';
let counter = 0;

function randomDigits(): string {
  if (blockAt + digits > block.length) {
    block = randomBytes(blockBytes).toString('hex');
    blockAt = 0;
  }
  blockAt += digits;
  return block.slice(blockAt - digits, blockAt);
}

/** Low enough to leave room for the other ids of its millisecond. */
const firstCount = (): number => parseInt(randomDigits().slice(0, 2), 16) << 2;

function begin(ms: number): void {
  const time = ms.toString(16).padStart(12, '0');
  lastMs = ms;
  lastText = `${time.slice(0, 8)}-${time.slice(8)}-`;
  counter = firstCount();
}

/** The two bits that say which kind of UUID this is, by the digit they replace. */
const variants: Readonly<Record<string, string>> = Object.fromEntries(Array.from({ length: 16 }, (_, digit) => [digit.toString(16), (8 + (digit & 3)).toString(16)]));

/** Ids made by one process never go backwards, even where its clock does. */
export function uuidv7(nowMs: number = Date.now()): string {
  if (nowMs > lastMs) begin(nowMs);
  else if (++counter > 0xfff) begin(lastMs + 1);
  const random = randomDigits();
  return `${lastText}${(0x7000 | counter).toString(16)}-${variants[random[0] ?? '0'] ?? '8'}${random.slice(1, 4)}-${random.slice(4)}`;
}
