// What a lane needs of its cell, what it tells its listener, and what it leaves when the cell has ended.
import type { EventEffects } from '../../protocol/cell/effects.ts';
import type { EventFailure, EventOutput } from '../../protocol/cell/messages.ts';
import type { Cell } from '../cells/cell.ts';
import type { PluginAccount } from '../files/loss-account.ts';
import type { Pacer } from './pacer.ts';
import type { QueuedEvent } from './queued-event.ts';

export interface LaneOptions {
  readonly pacer: Pacer;
  readonly handleMs: number;
  /** The cell begins nothing for this long although it has work: something else holds its thread. */
  readonly stallMs: number;
  /** Is told how much the cell has, before the cell has it. */
  readonly account?: PluginAccount;
  /** Asked before each batch: the cell gets one event, and the next one when that has ended. */
  readonly alone?: (() => boolean) | undefined;
  /** Is told of events before the cell has them. */
  readonly sending?: ((events: readonly QueuedEvent[]) => void) | undefined;
}

/** What the lane needs of its cell. */
export type LaneCell = Pick<Cell, 'register' | 'window' | 'send' | 'drain' | 'arrivals'>;

export interface LaneListener {
  /** `effects`: what it changes, which takes effect with its outcome; undefined where it changes nothing. */
  handled(event: QueuedEvent, output: EventOutput | undefined, effects: EventEffects | undefined): void;
  failed(event: QueuedEvent, failure: EventFailure): void;
  /** The event was claimed and the cell must be ended. The lane holds the event until `settleClaimed`. */
  overran(event: QueuedEvent, ranMs: number): void;
  stalled(idleMs: number): void;
  /** The handler threw after its signal was aborted by `interrupt`. Returns the event as it comes again, if it does. */
  interrupted?(event: QueuedEvent): QueuedEvent | undefined;
}

export interface LaneRemains {
  /** The event the cell was executing when it ended by itself. */
  readonly blamed: QueuedEvent | undefined;
  /** What is to come next, in order: an event that comes again, then those sent and never begun. */
  readonly untouched: readonly QueuedEvent[];
}
