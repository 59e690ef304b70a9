// Shared memory that goes to a tool's thread with a few calls and holds their answers. The host sees there, without
// asking, how far the thread has come, takes back what has not begun, and finds every answer, whatever becomes of the
// thread: calls can go many at a time and still be answered, blamed and withdrawn one by one.
import type { TextWriter } from './text-writer.ts';

/** The most calls that go at once. */
export const trayCalls = 32;

const gateAt = 0;
const doneAt = 1;
const lengthsAt = 2;
const timesStart = (lengthsAt + trayCalls) * 4;
/** Beside the times of the answers: when the first call began, with its thread started and its schemas compiled. */
const startedAt = trayCalls;
const textStart = timesStart + (trayCalls + 1) * 8;
const byteLength = 32 * 1024;

/** Beside the count of the calls that have begun. */
const closed = 1 << 16;
/** In the place of a length: the answer goes another way. */
const elsewhere = -1;

export interface KeptAnswer {
  readonly json: string;
  readonly durationMs: number;
}

export class ToolTray {
  readonly id: number;
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  readonly #text: Buffer;
  /** Where the next answer's text is written, or read. */
  #at = 0;

  constructor(id: number, buffer: SharedArrayBuffer = new SharedArrayBuffer(byteLength)) {
    this.id = id;
    this.buffer = buffer;
    this.#words = new Int32Array(buffer, 0, lengthsAt + trayCalls);
    this.#times = new Float64Array(buffer, timesStart, trayCalls + 1);
    this.#text = Buffer.from(buffer, textStart);
  }

  // The cell's side.

  /** It has come with other calls. */
  rewind(): void {
    this.#at = 0;
  }

  /** Calls begin in their order. False where the host has taken back this one and those behind it. */
  begin(index: number): boolean {
    return Atomics.compareExchange(this.#words, gateAt, index, index + 1) === index;
  }

  start(atMs: number): void {
    this.#times[startedAt] = atMs;
  }

  /** Puts down the answer of a call that has begun; false where there is no room for it. */
  put(index: number, { json, durationMs }: KeptAnswer, write: TextWriter): boolean {
    const room = this.#text.length - this.#at;
    // A character is at most three bytes: what is not sure to fit is not tried.
    if (json.length * 3 > room) return false;
    const length = Reflect.apply(write, this.#text, [json, this.#at, room]);
    this.#at += length;
    this.#times[index] = durationMs;
    this.#finish(index, length);
    return true;
  }

  /** The answer of this call goes by message. */
  pass(index: number): void {
    this.#finish(index, elsewhere);
  }

  #finish(index: number, length: number): void {
    this.#words[lengthsAt + index] = length;
    Atomics.store(this.#words, doneAt, index + 1);
  }

  // The host's side.

  /** Before it goes out again. */
  clear(): void {
    this.#at = 0;
    this.#words.fill(0);
    this.#times[startedAt] = 0;
  }

  /** From here on no call begins. Answers how many had. */
  close(): number {
    return Atomics.or(this.#words, gateAt, closed) & ~closed;
  }

  get begun(): number {
    return Atomics.load(this.#words, gateAt) & ~closed;
  }

  /** When the first call began; undefined before. */
  get startedMs(): number | undefined {
    const atMs = this.#times[startedAt] ?? 0;
    return atMs === 0 ? undefined : atMs;
  }

  /** How many have ended. */
  get done(): number {
    return Atomics.load(this.#words, doneAt);
  }

  /** The answers are taken in their order, each once; nothing for one that goes by message. */
  take(index: number): KeptAnswer | undefined {
    const length = this.#words[lengthsAt + index] ?? elsewhere;
    if (length === elsewhere) return undefined;
    const json = this.#text.toString('utf8', this.#at, this.#at + length);
    this.#at += length;
    return { json, durationMs: this.#times[index] ?? 0 };
  }
}
