// The states of the store as the host sees it, and what moves it from one to the other. Effects (threads, timers,
// answers) are in store.ts.

export type StoreState =
  /** Nothing is stored, and no thread runs. */
  | 'unused'
  | 'opening'
  | 'open'
  /** The storekeeper does not answer; its thread still exists. */
  | 'stalled'
  /** The storekeeper has ended and is started again after a back-off. */
  | 'out'
  /** The store is of a newer format: it stays as it is. */
  | 'refused'
  | 'closed';

export type StoreCause = 'needed' | 'opened' | 'answered' | 'late' | 'ended' | 'refused' | 'retried' | 'closed';

const table: Readonly<Record<StoreState, Partial<Record<StoreCause, StoreState>>>> = {
  unused: { needed: 'opening', closed: 'closed' },
  opening: { opened: 'open', late: 'stalled', ended: 'out', refused: 'refused', closed: 'closed' },
  open: { late: 'stalled', ended: 'out', closed: 'closed' },
  stalled: { opened: 'open', answered: 'open', ended: 'out', refused: 'refused', closed: 'closed' },
  out: { retried: 'opening', closed: 'closed' },
  refused: { closed: 'closed' },
  closed: {},
};

/** Undefined where the cause means nothing in this state. */
export const nextState = (state: StoreState, cause: StoreCause): StoreState | undefined => table[state][cause];

/** When a storekeeper that ended is started again: doubling from the least to the most, for ever. */
export const restartBackoffMs = [100, 30_000] as const;

export function restartDelayMs(endsInARow: number): number {
  const [least, most] = restartBackoffMs;
  return Math.min(most, least * 2 ** Math.min(endsInARow, 20));
}
