// The states of a lane: whether it hands over events, and whether what its cell says still counts.
import type { QueuedEvent } from './queued-event.ts';

/** What the lane does with its cell. */
export type LaneState =
  /** Hands over what is queued. */
  | { readonly is: 'open' }
  /**
   * Hands over nothing more; what the cell has finished still counts. The cell executes the sequence `interruptedFrom`,
   * or one event more at most, when its signal is aborted; `again` is the event that then threw.
   */
  | { readonly is: 'halted'; readonly interruptedFrom: number; readonly again: QueuedEvent | undefined }
  /** The cell has lost this sequence: only what it finished before still counts. */
  | { readonly is: 'claiming'; readonly sequence: number }
  /** This event was taken from the cell and waits for a decision. Nothing that the cell says counts any more. */
  | { readonly is: 'claimed'; readonly event: QueuedEvent; readonly beganMs: number }
  /** The claimed event has been decided about: it comes again as given, or had its outcome. */
  | { readonly is: 'cut'; readonly again: QueuedEvent | undefined };

export const open: LaneState = { is: 'open' };
export const halted: LaneState = { is: 'halted', interruptedFrom: Infinity, again: undefined };

/** The event that comes before those that were sent: one that waits for a decision, or comes again. */
export function aheadOf(state: LaneState): QueuedEvent | undefined {
  if (state.is === 'halted' || state.is === 'cut') return state.again;
  return state.is === 'claimed' ? state.event : undefined;
}

/** The last sequence that the cell may settle, where `through` were settled and `sent` were sent. */
export function settlesThrough(state: LaneState, through: number, sent: number): number {
  if (state.is === 'claimed' || state.is === 'cut') return through;
  return state.is === 'claiming' ? state.sequence - 1 : sent;
}
