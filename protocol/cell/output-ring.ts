// Where a cell lays the answers that somebody waits for: shared memory, so that an answer is with the host as soon as
// it is made, whatever becomes of the cell, and costs no message of its own. One side writes, the other reads. The host
// believes nothing it finds there beyond what it can check.
import type { EventOutput } from './messages.ts';
import type { TextWriter } from './text-writer.ts';

const headAt = 0;
const tailAt = 1;
const wordsEnd = 8;
const ringBytes = 64 * 1024;
/** Sequence and duration, then the length, before the text. */
const lengthOffset = 16;
const textOffset = 24;
/** In place of a sequence: the rest up to the ring's end is empty. */
const wrap = -1;

const mostRecords = ringBytes / textOffset + 1;

/** Longer ones go as messages. */
export const largestRingOutput = ringBytes / 4;

const padded = (bytes: number): number => (bytes + 7) & ~7;

export class OutputRing {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  readonly #integers: Int32Array;
  readonly #bytes: Buffer;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(wordsEnd + ringBytes)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer, 0, 2);
    this.#numbers = new Float64Array(buffer, wordsEnd, ringBytes / 8);
    this.#integers = new Int32Array(buffer, wordsEnd, ringBytes / 4);
    this.#bytes = Buffer.from(buffer, wordsEnd, ringBytes);
  }

  /** The cell's. False where there is no room now. */
  write({ sequence, json, durationMs }: EventOutput<string>, jsonBytes: number, writeText: TextWriter): boolean {
    const size = textOffset + padded(jsonBytes);
    const head = Atomics.load(this.#words, headAt);
    let at = Atomics.load(this.#words, tailAt);
    // The ring is never filled to the last byte: full would look empty.
    if (at < head) {
      if (at + size >= head) return false;
    } else if (at + size > ringBytes || (at + size === ringBytes && head === 0)) {
      if (size >= head) return false;
      this.#numbers[at / 8] = wrap;
      at = 0;
    }
    this.#numbers[at / 8] = sequence;
    this.#numbers[at / 8 + 1] = durationMs;
    this.#integers[(at + lengthOffset) / 4] = jsonBytes;
    Reflect.apply(writeText, this.#bytes, [json, at + textOffset, jsonBytes]);
    const next = at + size;
    Atomics.store(this.#words, tailAt, next === ringBytes ? 0 : next);
    return true;
  }

  /** The host's: takes what is there. What no cell of ours would have written ends it. */
  read(take: (output: EventOutput<string>) => void): void {
    const tail = Atomics.load(this.#words, tailAt);
    let at = Atomics.load(this.#words, headAt);
    for (let left = mostRecords; at !== tail; left -= 1) {
      if (this.#numbers[at / 8] === wrap && left > 0) {
        at = 0;
        continue;
      }
      const bytes = this.#integers[(at + lengthOffset) / 4] ?? -1;
      const end = at + textOffset + padded(bytes);
      if (left <= 0 || bytes < 0 || bytes > largestRingOutput || end > ringBytes || (at < tail && end > tail)) {
        at = tail;
        break;
      }
      const from = at + textOffset;
      take({
        sequence: this.#numbers[at / 8] ?? 0,
        json: this.#bytes.toString('utf8', from, from + bytes),
        durationMs: durationOf(this.#numbers[at / 8 + 1]),
      });
      at = end === ringBytes ? 0 : end;
    }
    Atomics.store(this.#words, headAt, at);
  }
}

const durationOf = (found: number | undefined): number =>
  found !== undefined && found >= 0 && found < Number.MAX_SAFE_INTEGER ? found : 0;
