// Reading one half of the store. A store that holds nothing yet answers that at once, without a thread.
import type { KeyRange } from '../../protocol/store/change.ts';
import type {
  BackupReport,
  Half,
  RangePage,
  Read,
  ReadResult,
  StoreUsage,
  VerifyReport,
} from '../../protocol/store/messages.ts';

export interface RangeQuery extends KeyRange {
  readonly table: string;
  /** Entries of a page. */
  readonly limit: number;
  /** Bytes of a page; the first entry is given in any case. */
  readonly maxBytes?: number;
  /** From the end of the range to its beginning. */
  readonly reverse?: boolean;
}

export type Ask = (read: Read, deadlineMs: number) => Promise<ReadResult>;

const defaultPageBytes = 4 * 1024 * 1024;
const wholeStoreMs = 600_000;
const emptyPage: RangePage = { entries: [], more: false, damaged: [] };

export class StoreReads {
  readonly #half: Half;
  readonly #deadlineMs: number;
  readonly #ask: Ask;

  constructor(half: Half, deadlineMs: number, ask: Ask) {
    this.#half = half;
    this.#deadlineMs = deadlineMs;
    this.#ask = ask;
  }

  /** Rejects with `storage_failed` (reason `damaged`) where the value is not what was written. */
  async get(table: string, key: string): Promise<Buffer | undefined> {
    const value = (await this.#ask({ kind: 'get', half: this.#half, table, key }, this.#deadlineMs)) as
      Uint8Array | undefined;
    return value === undefined ? undefined : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  }

  async range({
    table,
    from,
    to,
    limit,
    maxBytes = defaultPageBytes,
    reverse = false,
  }: RangeQuery): Promise<RangePage> {
    return (
      ((await this.#ask(
        { kind: 'range', half: this.#half, table, from, to, limit, maxBytes, reverse },
        this.#deadlineMs,
      )) as RangePage | undefined) ?? emptyPage
    );
  }

  /** Every page of a range, one after the other; commits of the meantime may or may not be in later pages. */
  async *pages(query: RangeQuery): AsyncGenerator<RangePage> {
    let { from, to } = query;
    for (;;) {
      const page = await this.range({ ...query, from, to });
      yield page;
      const last = page.entries.at(-1);
      if (!page.more || last === undefined) return;
      if (query.reverse === true) to = last.key;
      else from = `${last.key}\0`;
    }
  }

  async count(table: string, { from, to }: KeyRange): Promise<number> {
    return (
      ((await this.#ask({ kind: 'count', half: this.#half, table, from, to }, this.#deadlineMs)) as
        number | undefined) ?? 0
    );
  }

  /** Of both halves. */
  async usage(): Promise<StoreUsage> {
    return (
      ((await this.#ask({ kind: 'usage' }, this.#deadlineMs)) as StoreUsage | undefined) ?? {
        tables: [],
        fileBytes: 0,
        usedBytes: 0,
      }
    );
  }

  /** Reads all values of both halves, while commits go on. */
  async verify(): Promise<VerifyReport> {
    return (
      ((await this.#ask({ kind: 'verify' }, wholeStoreMs)) as VerifyReport | undefined) ?? {
        entries: 0,
        bytes: 0,
        damaged: [],
        damagedCount: 0,
      }
    );
  }

  /** Writes what is kept into a new folder, from which a daemon can start. Undefined where nothing is stored. */
  async backup(path: string): Promise<BackupReport | undefined> {
    return (await this.#ask({ kind: 'backup', path }, wholeStoreMs)) as BackupReport | undefined;
  }
}
