// Cuts newline-delimited messages from the chunks of a stream without copying what has arrived whole. A line that
// outgrows its bound is reported once and skipped to its end, so that memory never follows what a peer sends.

const newline = 0x0a;
const keptBytes = 64 * 1024;

export interface LineSink {
  /**
   * The line lies between `start` and `end`, where a newline stands. The bytes may be another line's after the call.
   */
  line(bytes: Buffer, start: number, end: number): void;
  /** A line went over the bound; what remains of it is thrown away as it comes. */
  tooLong(): void;
  /** Asked before each line; false: the rest is kept as it is, until `goOn`. */
  ready?(): boolean;
}

/** A bound that several cutters share. */
export interface SharedBound {
  /** Whether a line that holds `heldBytes` may hold `moreBytes` more; false leaves everything as it was. */
  take(heldBytes: number, moreBytes: number): boolean;
  giveBack(bytes: number): void;
}

export interface SharedRoom {
  readonly bound: SharedBound;
  /** The line found no room among those of the others; what remains of it is thrown away as it comes. */
  full(): void;
}

export class LineCutter {
  readonly #maxBytes: number;
  readonly #sink: LineSink;
  readonly #shared: SharedRoom | undefined;
  /** What the shared bound counts of this line. */
  #takenBytes = 0;
  /** The beginning of a line whose end has not come; it grows by doubling, whatever the size of the chunks. */
  #held = Buffer.alloc(0);
  #heldBytes = 0;
  #skipping = false;
  /** What has come and not been cut, for nobody was ready for it. */
  #rest: Buffer | undefined;

  constructor(maxBytes: number, sink: LineSink, shared?: SharedRoom) {
    this.#maxBytes = maxBytes;
    this.#sink = sink;
    this.#shared = shared;
  }

  /** Bytes of a line that has begun and not ended. */
  get pendingBytes(): number {
    return this.#heldBytes;
  }

  /** Something is kept that was not cut. */
  get stopped(): boolean {
    return this.#rest !== undefined;
  }

  /** After a stop: to be called when somebody is ready again, and before more is pushed. */
  goOn(): void {
    const rest = this.#rest;
    if (rest === undefined) return;
    this.#rest = undefined;
    this.push(rest);
  }

  push(chunk: Buffer): void {
    let start = 0;
    while (start < chunk.length) {
      const end = chunk.indexOf(newline, start);
      if (end === -1) {
        this.#keep(chunk.subarray(start));
        return;
      }
      if (this.#sink.ready?.() === false) {
        this.#rest = chunk.subarray(start);
        return;
      }
      this.#finish(chunk, start, end);
      start = end + 1;
    }
  }

  #keep(rest: Buffer): void {
    if (this.#skipping) return;
    if (this.#heldBytes + rest.length > this.#maxBytes) {
      this.#refuse();
      this.#skipping = true;
      return;
    }
    if (this.#hold(rest)) return;
    this.discard();
    this.#skipping = true;
    this.#shared?.full();
  }

  #finish(chunk: Buffer, start: number, end: number): void {
    if (this.#skipping) {
      this.#skipping = false;
      return;
    }
    if (this.#heldBytes + end - start > this.#maxBytes) {
      this.#refuse();
      return;
    }
    if (this.#heldBytes === 0) {
      if (end > start) this.#sink.line(chunk, start, end);
      return;
    }
    if (!this.#hold(chunk.subarray(start, end))) {
      this.discard();
      this.#shared?.full();
      return;
    }
    const bytes = this.#held;
    const length = this.#heldBytes;
    bytes[length] = newline;
    this.discard();
    this.#sink.line(bytes, 0, length);
  }

  /** False where the shared bound has no room for it; then nothing of it is held. */
  #hold(bytes: Buffer): boolean {
    const needed = this.#heldBytes + bytes.length;
    // With room for the newline.
    const size =
      needed + 1 > this.#held.length
        ? Math.min(this.#maxBytes, Math.max(needed, this.#held.length * 2, 1024)) + 1
        : this.#held.length;
    if (this.#shared !== undefined && size > this.#takenBytes) {
      if (!this.#shared.bound.take(this.#takenBytes, size - this.#takenBytes)) return false;
      this.#takenBytes = size;
    }
    if (size > this.#held.length) {
      const larger = Buffer.allocUnsafe(size);
      this.#held.copy(larger, 0, 0, this.#heldBytes);
      this.#held = larger;
    }
    bytes.copy(this.#held, this.#heldBytes);
    this.#heldBytes = needed;
    return true;
  }

  /** Forgets the line that has begun. What was needed for a large line is not kept for the small ones after it. */
  discard(): void {
    this.#heldBytes = 0;
    if (this.#held.length > keptBytes) this.#held = Buffer.alloc(0);
    if (this.#takenBytes === 0) return;
    this.#shared?.bound.giveBack(this.#takenBytes);
    this.#takenBytes = 0;
  }

  #refuse(): void {
    this.discard();
    this.#sink.tooLong();
  }
}

/** For those who want each line as text. */
export const asText =
  (line: (text: string) => void): LineSink['line'] =>
  (bytes, start, end) =>
    line(bytes.toString('utf8', start, end));

/** Whether JSON text nests deeper than allowed. */
export function nestsDeeper(json: string, maxDepth: number): boolean {
  return opensMore(json, maxDepth) && deepensBeyond(json, maxDepth);
}

/** Searching for brackets is many times cheaper than reading every character, and most requests have few. */
function opensMore(json: string, most: number): boolean {
  if (json.length <= most * 2) return false;
  let found = 0;
  for (const bracket of ['{', '[']) {
    for (let at = json.indexOf(bracket); at !== -1; at = json.indexOf(bracket, at + 1)) {
      found += 1;
      if (found > most) return true;
    }
  }
  return false;
}

function deepensBeyond(json: string, maxDepth: number): boolean {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < json.length; at += 1) {
    const character = json.charCodeAt(at);
    if (inText) {
      if (character === 0x5c) at += 1;
      else if (character === 0x22) inText = false;
    } else if (character === 0x22) {
      inText = true;
    } else if (character === 0x5b || character === 0x7b) {
      depth += 1;
      if (depth > maxDepth) return true;
    } else if (character === 0x5d || character === 0x7d) {
      depth -= 1;
    }
  }
  return false;
}
