// What the host and the storekeeper tell each other. The host sends at most one message a turn, with all that has
// gathered in it; the storekeeper answers with one message for each round of work. Both sides are this program's own,
// so nothing here is checked as a plugin's messages are.
import type { Change, StoredValue } from './change.ts';

/** `kept` is synced before a commit is answered; `notes` is not synced: it survives the process, not the machine. */
export type Half = 'kept' | 'notes';

/** Why the storekeeper could not do something. */
export type FaultReason =
  /** The file system has no room, or `limits.storeBytes` is reached. */
  | 'full'
  /** The disk reports an error, or does not answer. */
  | 'io'
  | 'read_only'
  /** The value that is stored under a key is not what was written. */
  | 'damaged'
  /** The store was written by a newer version of this program. */
  | 'newer_format'
  /** The storekeeper is not there, or ended in between. */
  | 'unavailable'
  | 'invalid';

export interface StoreFault {
  readonly reason: FaultReason;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Faults that a test orders for one message. */
export type OrderedFault =
  'die-before-commit' | 'die-after-commit' | 'kill-before-commit' | 'kill-after-commit' | 'disk-full' | 'sync' | 'hang';

export interface CommitMessage {
  readonly id: number;
  readonly changes: PackedChanges;
  readonly bytes: number;
  /** It makes room, or needs none: it may use what is reserved for emptying a store that is full. */
  readonly removes: boolean;
}

export interface RangeRead {
  readonly kind: 'range';
  readonly half: Half;
  readonly table: string;
  readonly from: string;
  readonly to: string;
  readonly limit: number;
  readonly maxBytes: number;
  readonly reverse: boolean;
}

export type Read =
  | { readonly kind: 'get'; readonly half: Half; readonly table: string; readonly key: string }
  | RangeRead
  | { readonly kind: 'count'; readonly half: Half; readonly table: string; readonly from: string; readonly to: string }
  | { readonly kind: 'usage' }
  | { readonly kind: 'verify' }
  | { readonly kind: 'backup'; readonly path: string };

export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
}

export interface RangePage {
  readonly entries: readonly Entry[];
  /** The range holds more; the next page begins behind the last entry. */
  readonly more: boolean;
  /** Keys whose values are not what was written; they are left out. */
  readonly damaged: readonly string[];
}

export interface TableUsage {
  readonly half: Half;
  readonly table: string;
  readonly entries: number;
  readonly bytes: number;
}

export interface StoreUsage {
  readonly tables: readonly TableUsage[];
  /** Of the file that is synced. */
  readonly fileBytes: number;
  readonly usedBytes: number;
}

export interface VerifyReport {
  readonly entries: number;
  readonly bytes: number;
  readonly damaged: readonly { readonly half: Half; readonly table: string; readonly key: string }[];
  /** All damaged values, also those that are not listed. */
  readonly damagedCount: number;
}

export interface BackupReport {
  readonly entries: number;
  readonly bytes: number;
}

export type ReadResult = Uint8Array | undefined | RangePage | number | StoreUsage | VerifyReport | BackupReport;

export interface ToKeeper {
  readonly commits: readonly CommitMessage[];
  readonly notes: readonly CommitMessage[];
  readonly reads: readonly { readonly id: number; readonly read: Read }[];
  readonly order?: OrderedFault;
  /** The last message: the storekeeper finishes, closes the files and ends. */
  readonly close?: true;
}

export interface Opened {
  readonly type: 'opened';
  readonly format: number;
  /** What was done to make the store usable, for the operator. */
  readonly repairs: readonly Repair[];
}

export interface Repair {
  readonly kind: 'put_aside' | 'journal_lost' | 'migrated' | 'notes_restarted' | 'reopened';
  readonly message: string;
}

export type FromKeeper =
  | Opened
  /** The store cannot be opened. The storekeeper ends. */
  | { readonly type: 'unusable'; readonly fault: StoreFault }
  | {
      readonly type: 'answers';
      /** Every commit and note up to these ids is done, except those that failed. */
      readonly commitsUpTo: number;
      readonly notesUpTo: number;
      readonly failed: readonly { readonly id: number; readonly fault: StoreFault }[];
      readonly failedNotes: readonly { readonly id: number; readonly fault: StoreFault }[];
      readonly reads: readonly ReadAnswer[];
      /** The files were opened again after a fault: what was read before has to be read again. */
      readonly reopened?: readonly Repair[];
    };

export type ReadAnswer =
  { readonly id: number; readonly result: ReadResult } | { readonly id: number; readonly fault: StoreFault };

export interface KeeperData {
  /** The folder that holds the store's files. */
  readonly folder: string;
  readonly storeBytes: number;
  readonly noteBytes: number;
  readonly madeBy: string;
}

/**
 * Changes one behind the other in one flat list: it is cloned to the other thread several times faster than objects.
 */
export type PackedChanges = readonly (StoredValue | 0 | 1 | 2)[];

const slots = 4;

export function packChanges(changes: readonly Change[]): PackedChanges {
  const packed: (StoredValue | 0 | 1 | 2)[] = [];
  for (const change of changes) {
    if (change.op === 'put') packed.push(0, change.table, change.key, whole(change.value));
    else if (change.op === 'remove') packed.push(1, change.table, change.key, '');
    else packed.push(2, change.table, change.from, change.to);
  }
  return packed;
}

/** A view is cloned with all that lies around it. */
const whole = (value: StoredValue): StoredValue =>
  typeof value === 'string' || value.byteLength === value.buffer.byteLength ? value : value.slice();

export const changeCount = (packed: PackedChanges): number => packed.length / slots;

export interface ChangeTarget {
  put(table: string, key: string, value: StoredValue): void;
  remove(table: string, key: string): void;
  removeRange(table: string, from: string, to: string): void;
}

export function applyChanges(packed: PackedChanges, target: ChangeTarget): void {
  for (let at = 0; at < packed.length; at += slots) {
    // Packed by `packChanges`, four slots a change.
    const [op, table, key, last] = packed.slice(at, at + slots) as [0 | 1 | 2, string, string, StoredValue];
    if (op === 0) target.put(table, key, last);
    else if (op === 1) target.remove(table, key);
    else target.removeRange(table, key, String(last));
  }
}
