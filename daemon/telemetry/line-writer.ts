// Writes lines to something slow without ever waiting for it: they go into a bounded buffer, one write is under way at
// a time, and what finds no room is counted. Neither a full disk nor a blocked pipe reaches the one who logs. It is
// not left to pino's own destination, which throws at the next line when its file could not be opened.

export interface LineTarget {
  /** Writes from `offset` on and answers how many bytes; 0 for "not now". At offset 0 a chunk of whole lines begins. */
  write(chunk: Buffer, offset: number): Promise<number>;
  close(): Promise<void>;
}

export interface Dropped {
  readonly lines: number;
  readonly bytes: number;
}

export interface LineWriterOptions {
  readonly target: LineTarget;
  /** What may wait. */
  readonly maxBytes: number;
  /** What is handed to the target at once, unless a single line is more. */
  readonly chunkBytes: number;
  /** A target that failed is tried again after this. */
  readonly retryMs?: number;
  /** A target that answered "not now" is asked again after this. */
  readonly busyMs?: number;
  /** Told once when the target begins to fail, and again only after it had worked in between. */
  onTrouble?(error: Error): void;
  /** The target takes lines again: so many found no room meanwhile. */
  onCaughtUp?(dropped: Dropped): void;
}

const defaultRetryMs = 1000;
const defaultBusyMs = 50;
const leastCloseMs = 100;

export class LineWriter {
  readonly #options: LineWriterOptions;
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #chunk: Buffer | undefined;
  #offset = 0;
  #pumping = false;
  #retry: NodeJS.Timeout | undefined;
  #failing = false;
  #closed = false;
  /** The target is let go of: also a write that comes back late begins no other. */
  #ended = false;
  #untold = { lines: 0, bytes: 0 };
  #whenIdle: (() => void)[] = [];

  constructor(options: LineWriterOptions) {
    this.#options = options;
  }

  /** False when the line found no room. */
  push(line: string): boolean {
    const bytes = Buffer.from(line);
    if (this.#closed || this.pendingBytes + bytes.length > this.#options.maxBytes) {
      this.#untold.lines += 1;
      this.#untold.bytes += bytes.length;
      return false;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#retry === undefined) this.#start();
    return true;
  }

  get pendingBytes(): number {
    return this.#waitingBytes + (this.#chunk === undefined ? 0 : this.#chunk.length - this.#offset);
  }

  /** Waits for what was pushed to be written, at most this long; a target that fails is tried once more. */
  async flush(deadlineMs: number): Promise<boolean> {
    if (this.#retry !== undefined) this.#start();
    if (this.#pumping) await within(deadlineMs, new Promise<void>((resolve) => this.#whenIdle.push(resolve)));
    return this.pendingBytes === 0;
  }

  /** Writes what it can in this time and lets go of the target; true when nothing was left behind. */
  async close(deadlineMs: number): Promise<boolean> {
    const until = performance.now() + deadlineMs;
    this.#closed = true;
    const written = await this.flush(deadlineMs);
    this.#ended = true;
    clearTimeout(this.#retry);
    // A target that does not even close is left behind: nobody waits for what it still holds.
    await within(Math.max(leastCloseMs, until - performance.now()), this.#options.target.close().catch(closedAnyway));
    return written;
  }

  #start(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    if (this.#pumping) return;
    this.#pumping = true;
    void this.#pump();
  }

  /** Never rejects: what goes wrong is told and tried again. */
  async #pump(): Promise<void> {
    let againMs: number | undefined;
    try {
      for (let chunk = this.#nextChunk(); chunk !== undefined && againMs === undefined; chunk = this.#nextChunk()) {
        const written = await this.#options.target.write(chunk, this.#offset);
        this.#offset += written;
        if (written === 0) againMs = this.#options.busyMs ?? defaultBusyMs;
        else if (this.#offset >= chunk.length) this.#chunkWritten();
      }
      if (againMs === undefined) this.#settle();
    } catch (thrown) {
      againMs = this.#options.retryMs ?? defaultRetryMs;
      this.#trouble(thrown instanceof Error ? thrown : new Error(String(thrown)));
      // Who waits for the end is not kept waiting by a target that fails.
      this.#settle();
    }
    this.#pumping = false;
    if (againMs !== undefined && !this.#ended) this.#retry = setTimeout(() => this.#start(), againMs).unref();
  }

  #nextChunk(): Buffer | undefined {
    if (this.#ended) return undefined;
    if (this.#chunk !== undefined || this.#waiting.length === 0) return this.#chunk;
    let count = 0;
    let bytes = 0;
    for (const line of this.#waiting) {
      if (count > 0 && bytes + line.length > this.#options.chunkBytes) break;
      bytes += line.length;
      count += 1;
    }
    this.#chunk = Buffer.concat(this.#waiting.splice(0, count), bytes);
    this.#waitingBytes -= bytes;
    this.#offset = 0;
    return this.#chunk;
  }

  #chunkWritten(): void {
    this.#chunk = undefined;
    this.#offset = 0;
    this.#failing = false;
    if (this.#untold.lines === 0 || this.#closed) return;
    const dropped = this.#untold;
    this.#untold = { lines: 0, bytes: 0 };
    this.#options.onCaughtUp?.(dropped);
  }

  #trouble(error: Error): void {
    if (this.#failing) return;
    this.#failing = true;
    this.#options.onTrouble?.(error);
  }

  #settle(): void {
    const settled = this.#whenIdle;
    this.#whenIdle = [];
    for (const settle of settled) settle();
  }
}

/** What could not be written was told when it failed; nothing is left to do for a file that does not close. */
const closedAnyway = (): void => undefined;

async function within(deadlineMs: number, promise: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, deadlineMs);
  });
  await Promise.race([promise, deadline]);
  clearTimeout(timer);
}
