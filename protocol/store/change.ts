// What can be changed in the store: values are put under keys of named tables, removed one by one, or removed by a
// range of keys. A list of changes is applied as one transaction. Nothing here knows the engine behind it.

/**
 * A change in this table is none of the store's: it is one of ctx.state of a service whose place is in a cluster.
 */
export const placedStateTable = 'placed-state';

/** Text is stored as UTF-8; what is read back is always bytes. */
export type StoredValue = string | Uint8Array;

export interface Put {
  readonly op: 'put';
  readonly table: string;
  readonly key: string;
  readonly value: StoredValue;
}

export interface Remove {
  readonly op: 'remove';
  readonly table: string;
  readonly key: string;
}

/** All keys from `from` on and before `to`. */
export interface RemoveRange {
  readonly op: 'removeRange';
  readonly table: string;
  readonly from: string;
  readonly to: string;
}

export type Change = Put | Remove | RemoveRange;

export const put = (table: string, key: string, value: StoredValue): Put => ({ op: 'put', table, key, value });
export const remove = (table: string, key: string): Remove => ({ op: 'remove', table, key });
export const removeRange = (table: string, range: KeyRange): RemoveRange => ({ op: 'removeRange', table, ...range });

export interface KeyRange {
  readonly from: string;
  /** Not included. */
  readonly to: string;
}

/** Bytes of a key in UTF-8. */
export const mostKeyBytes = 1024;
export const mostValueBytes = 64 * 1024 * 1024;
/** Of each of the two halves of the store. */
export const mostTables = 48;
export const tableForm = /^[a-z][a-z-]{0,31}$/;

/** Wide enough for every safe integer. */
const numberWidth = 11;

/**
 * A key of several parts, ordered by the first, then by the second and so on; numbers (0 and above) are ordered by
 * their size.
 */
export const storeKey = (...parts: readonly (string | number)[]): string => parts.map(keyPart).join('/');

/** All keys whose first parts are these, and that have at least one part more. */
export function keysUnder(...parts: readonly (string | number)[]): KeyRange {
  const prefix = storeKey(...parts);
  // "0" is the character behind the slash.
  return { from: `${prefix}/`, to: `${prefix}0` };
}

function keyPart(part: string | number): string {
  if (typeof part === 'number') return part.toString(36).padStart(numberWidth, '0');
  return /[/%]/.test(part) ? part.replaceAll('%', '%25').replaceAll('/', '%2F') : part;
}

/** The number that `storeKey` wrote at this place of a key. */
export const numberInKey = (key: string, place: number): number => Number.parseInt(key.split('/')[place] ?? '', 36);
