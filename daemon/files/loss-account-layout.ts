// Where each number lies in the page of the loss account (see loss-account.ts): what the daemon writes and its guardian
// reads.

/** Of each plugin. `executing` counts what its cells have been given: events, and inputs of workers. */
export const fieldAt = { events: 0, executing: 1, calls: 2, inputs: 3, starting: 4 } as const;
export type AccountField = keyof typeof fieldAt;

/** In words of four bytes. */
export const headerFields = { slots: 0, threads: 1, loadedAtRunTime: 2, end: 3 } as const;
const headerWords = 16;
/** Its number, its plugin's slot, its number for the operating system, and whether its end has been ordered. */
export const threadWords = 4;

export const accountLayout = {
  slots: 512,
  threads: 1024,
  /** A plugin's counters, then its name. */
  slotWords: 40,
  nameLengthAt: 7,
  nameAt: 8,
  nameBytes: 128,
} as const;

export const slotAt = (slot: number): number => headerWords + slot * accountLayout.slotWords;
export const threadAt = (index: number): number =>
  headerWords + accountLayout.slots * accountLayout.slotWords + index * threadWords;
export const accountBytes = threadAt(accountLayout.threads) * 4;

export interface AccountOfPlugin {
  readonly plugin: string;
  readonly counts: Readonly<Record<AccountField, number>>;
}

export interface AccountOfThread {
  readonly threadId: number;
  readonly plugin: string;
  readonly osThread: number;
  /** Its end has been ordered, and has not come. */
  readonly ending: boolean;
}

export interface AccountPage {
  readonly plugins: readonly AccountOfPlugin[];
  readonly threads: readonly AccountOfThread[];
  readonly loadedAtRunTime: number;
}

/** `bytes` may be short or empty: what a daemon that died early never wrote counts as nothing. */
export function readAccount(bytes: Buffer): AccountPage {
  const padded = Buffer.alloc(accountBytes);
  bytes.copy(padded);
  const words = new Int32Array(padded.buffer, padded.byteOffset, accountBytes / 4);
  const word = (at: number): number => words[at] ?? 0;
  const plugins = Array.from(
    { length: Math.min(word(headerFields.slots), accountLayout.slots) },
    (_, slot): AccountOfPlugin => {
      const at = slotAt(slot);
      const nameAt = (at + accountLayout.nameAt) * 4;
      const count = (field: AccountField): number => word(at + fieldAt[field]);
      return {
        plugin: padded.toString(
          'utf8',
          nameAt,
          nameAt + Math.min(word(at + accountLayout.nameLengthAt), accountLayout.nameBytes),
        ),
        counts: {
          events: count('events'),
          executing: count('executing'),
          calls: count('calls'),
          inputs: count('inputs'),
          starting: count('starting'),
        },
      };
    },
  );
  const threads = Array.from(
    { length: Math.min(word(headerFields.threads), accountLayout.threads) },
    (_, index): AccountOfThread => {
      const at = threadAt(index);
      return {
        threadId: word(at),
        plugin: plugins[word(at + 1)]?.plugin ?? '',
        osThread: word(at + 2),
        ending: word(at + 3) === 1,
      };
    },
  );
  return {
    plugins,
    threads: threads.filter(({ threadId, plugin }) => threadId !== 0 && plugin !== ''),
    loadedAtRunTime: word(headerFields.loadedAtRunTime),
  };
}
