// Commits that were handed over and are not answered yet, in their order, with a bound on their number and bytes.

export interface PendingWrite {
  readonly id: number;
  readonly bytes: number;
  readonly sinceMs: number;
  done(): void;
  failed(error: Error): void;
}

/** What has been answered is cut off when it makes up this much. */
const cutAt = 1024;

export class PendingWrites {
  #writes: PendingWrite[] = [];
  #first = 0;
  bytes = 0;

  get count(): number {
    return this.#writes.length - this.#first;
  }

  get oldestMs(): number | undefined {
    return this.#writes[this.#first]?.sinceMs;
  }

  add(write: PendingWrite): void {
    this.#writes.push(write);
    this.bytes += write.bytes;
  }

  /** All up to this id are done, but for those that failed. */
  settle(upTo: number, failed: ReadonlyMap<number, Error>): void {
    for (
      let write = this.#writes[this.#first];
      write !== undefined && write.id <= upTo;
      write = this.#writes[this.#first]
    ) {
      this.#take(write);
      const error = failed.get(write.id);
      if (error === undefined) write.done();
      else write.failed(error);
    }
  }

  failAll(error: Error): void {
    for (let write = this.#writes[this.#first]; write !== undefined; write = this.#writes[this.#first]) {
      this.#take(write);
      write.failed(error);
    }
  }

  #take(write: PendingWrite): void {
    this.bytes -= write.bytes;
    this.#first += 1;
    if (this.#first < cutAt && this.#first < this.#writes.length) return;
    this.#writes = this.#writes.slice(this.#first);
    this.#first = 0;
  }
}
