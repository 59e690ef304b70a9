// The account of what would be lost if the daemon died now, and of which plugins were executing: a page of counters in
// a file that the guardian has open too, and reads when the daemon is dead. A page that is written survives the
// process, and writing what has changed in a turn is one system call of about a microsecond. Without a guardian there
// is no file, and nothing is written.
import { writeSync } from 'node:fs';
import {
  type AccountField,
  accountBytes,
  accountLayout,
  fieldAt,
  headerFields,
  slotAt,
  threadAt,
  threadWords,
} from './loss-account-layout.ts';

export class PluginAccount {
  readonly #account: LossAccount;
  /** Where its row begins. */
  readonly #at: number;

  constructor(account: LossAccount, slot: number) {
    this.#account = account;
    this.#at = slotAt(slot);
  }

  /** Counts so many more, or fewer. */
  add(field: AccountField, delta: number): void {
    if (delta !== 0) this.#account.add(this.#at + fieldAt[field], delta);
  }
}

export class LossAccount {
  readonly #words = new Int32Array(accountBytes / 4);
  readonly #bytes = new Uint8Array(this.#words.buffer);
  readonly #accounts: PluginAccount[] = [];
  readonly #slots = new Map<string, number>();
  readonly #threads = new Map<number, number>();
  readonly #freeThreads: number[] = [];
  #descriptor: number | undefined;
  #from = Infinity;
  #to = 0;
  #scheduled = false;

  /** From here on what is counted is written to this descriptor. */
  open(descriptor: number): void {
    this.#descriptor = descriptor;
    this.#touch(0, this.#words.length);
    this.flush();
  }

  /** `name` may also be that of a profile (PLUGIN:PROFILE): it is counted as its plugin's. */
  of(name: string): PluginAccount {
    return this.#accounts[this.#slotOf(name)] ?? new PluginAccount(this, accountLayout.slots - 1);
  }

  /** A thread runs this plugin's code; `osThread` is 0 until it is known. */
  threadBegan(threadId: number, name: string, osThread = 0): void {
    const index = this.#threads.get(threadId) ?? this.#freeThreads.pop() ?? this.#threads.size;
    if (index >= accountLayout.threads) return;
    this.#threads.set(threadId, index);
    this.#writeThread(index, threadId, this.#slotOf(name), osThread);
  }

  threadKnown(threadId: number, osThread: number): void {
    this.#setThread(threadId, 2, osThread);
  }

  /** Nobody waits for it any more, and it may go on for a while. */
  threadEnding(threadId: number): void {
    this.#setThread(threadId, 3, 1);
  }

  threadEnded(threadId: number): void {
    const index = this.#threads.get(threadId);
    if (index === undefined) return;
    this.#threads.delete(threadId);
    this.#freeThreads.push(index);
    this.#writeThread(index, 0, 0, 0);
  }

  /** Plugins of which a thread is to end and has not ended yet. */
  endingPlugins(): string[] {
    const slots = new Map([...this.#slots].map(([plugin, slot]) => [slot, plugin]));
    const plugins = [...this.#threads.values()]
      .map(threadAt)
      .filter((at) => this.#words[at + 3] === 1)
      .map((at) => slots.get(this.#words[at + 1] ?? 0));
    return [...new Set(plugins.filter((plugin) => plugin !== undefined))];
  }

  /** Plugins that nobody loads again when the daemon comes back. */
  loadedAtRunTime(count: number): void {
    this.#words[headerFields.loadedAtRunTime] = count;
    this.#touch(headerFields.loadedAtRunTime, headerFields.loadedAtRunTime + 1);
  }

  add(at: number, delta: number): void {
    this.#words[at] = Math.max(0, (this.#words[at] ?? 0) + delta);
    this.#touch(at, at + 1);
  }

  /** Writes what has changed: before anything is said that the account must know of. */
  flush(): void {
    if (this.#to === 0) return;
    const from = this.#from * 4;
    const to = this.#to * 4;
    this.#from = Infinity;
    this.#to = 0;
    if (this.#descriptor === undefined) return;
    try {
      writeSync(this.#descriptor, this.#bytes, from, to - from, from);
    } catch {
      // The memory that holds the file is full: what is told after a death is then what was written last.
    }
  }

  #slotOf(name: string): number {
    const [plugin = ''] = name.split(':', 1);
    const known = this.#slots.get(plugin);
    if (known !== undefined) return known;
    const slot = this.#accounts.length;
    // Beyond the page's room a plugin is not counted: the last row has no name, and nobody reads it.
    if (slot >= accountLayout.slots - 1) return accountLayout.slots - 1;
    this.#slots.set(plugin, slot);
    this.#accounts.push(new PluginAccount(this, slot));
    const bytes = Buffer.from(plugin).subarray(0, accountLayout.nameBytes);
    const at = slotAt(slot);
    this.#bytes.set(bytes, (at + accountLayout.nameAt) * 4);
    this.#words[at + accountLayout.nameLengthAt] = bytes.length;
    this.#words[headerFields.slots] = this.#accounts.length;
    this.#touch(at, at + accountLayout.slotWords);
    this.#touch(0, headerFields.end);
    return slot;
  }

  #writeThread(index: number, threadId: number, slot: number, osThread: number): void {
    const at = threadAt(index);
    this.#words.set([threadId, slot, osThread, 0], at);
    this.#words[headerFields.threads] = Math.max(this.#words[headerFields.threads] ?? 0, index + 1);
    this.#touch(0, headerFields.end);
    this.#touch(at, at + threadWords);
  }

  #setThread(threadId: number, field: number, value: number): void {
    const index = this.#threads.get(threadId);
    if (index === undefined) return;
    const at = threadAt(index) + field;
    this.#words[at] = value;
    this.#touch(at, at + 1);
  }

  #touch(from: number, to: number): void {
    if (this.#descriptor === undefined) return;
    if (from < this.#from) this.#from = from;
    if (to > this.#to) this.#to = to;
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(this.#afterOthers);
  }

  /**
   * After what this turn has queued already, which may hand events over and flush: then there is one write, not two.
   */
  readonly #afterOthers = (): void => queueMicrotask(this.#atTurnsEnd);

  readonly #atTurnsEnd = (): void => {
    this.#scheduled = false;
    this.flush();
  };
}

export const lossAccount = new LossAccount();
