// Reads what a service has recorded of the events it began, a bounded piece at a time, and holds it against the
// promise: each one after the one before it, and one that comes again comes at once, before anything behind it.
import { type FileHandle, open } from 'node:fs/promises';

const entryBytes = 8;
const pieceBytes = entryBytes * 8192;

export class OrderRecord {
  readonly #path: string;
  readonly #piece = Buffer.alloc(pieceBytes);
  #file: FileHandle | undefined;
  #at = 0;
  #last = 0;
  #lastAttempt = 0;
  #skipped = 0;
  #begun = 0;
  #again = 0;
  #fault: string | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Events that were begun, each counted once. */
  get begun(): number {
    return this.#begun;
  }

  /** Attempts beyond an event's first. */
  get again(): number {
    return this.#again;
  }

  /** The first breach of the order, if there is one. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** Of the first `sent` events, how many were never begun. */
  missing(sent: number): number {
    return this.#skipped + Math.max(0, sent - this.#last);
  }

  async readOn(): Promise<void> {
    this.#file ??= await open(this.#path, 'a+');
    for (;;) {
      const { bytesRead } = await this.#file.read(this.#piece, 0, pieceBytes, this.#at);
      const whole = bytesRead - (bytesRead % entryBytes);
      for (let offset = 0; offset < whole; offset += entryBytes)
        this.#take(this.#piece.readUInt32LE(offset), this.#piece.readUInt32LE(offset + 4));
      this.#at += whole;
      if (whole < pieceBytes) return;
    }
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  #take(n: number, attempt: number): void {
    if (n === this.#last && attempt > this.#lastAttempt) {
      this.#again += 1;
    } else if (n > this.#last) {
      this.#skipped += n - this.#last - 1;
      this.#begun += 1;
    } else {
      this.#fault ??= `event ${String(n)}, attempt ${String(attempt)}, was begun after event ${String(this.#last)}, attempt ${String(this.#lastAttempt)}`;
    }
    this.#last = Math.max(this.#last, n);
    this.#lastAttempt = attempt;
  }
}
