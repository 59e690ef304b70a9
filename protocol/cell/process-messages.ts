// What host and process cell say to each other beyond what every cell says. There is no shared memory between them, so
// that what a thread writes in the register is a message here. Kept free of zod, because every cell loads it.
import type { AbortMessage, BatchMessage, CancelMessage, CellMessage, StateMessage } from './messages.ts';

/** What a cell's process is told as it begins. Everybody can read a command line: nothing secret belongs in it. */
export interface ProcessCellBoot {
  readonly title: string;
  readonly logBytesPerSecond: number;
  /** The only names that stay in the environment. */
  readonly env: readonly string[];
  /** Node's permission model is on: the inspector is not to be had, and the cell itself has to refuse threads. */
  readonly restricted: boolean;
  readonly mayStartWorkers: boolean;
  /** The daemon's, where it is kept from the plugin. */
  readonly controlSocket?: string;
}

/**
 * After `beginByMs` the cell begins the event no more: the host may by then give it to another cell, and without shared
 * memory it could not see that it has begun here.
 */
export interface TimedBatch extends BatchMessage {
  readonly beginByMs: number;
}

/** A frame of comlink: the calls share the one channel with the lane. */
export interface RpcMessage {
  readonly type: 'rpc';
  readonly frame: unknown;
}

/** The event of this sequence begins now; said before the plugin sees it, so that blame is exact. */
export interface BegunMessage {
  readonly type: 'begun';
  readonly sequence: number;
  readonly atMs: number;
}

/** Comes while the cell's event loop turns, and so tells that it does. */
export interface VitalsMessage {
  readonly type: 'vitals';
  readonly heapUsedBytes: number;
  readonly externalBytes: number;
  readonly rssBytes: number;
  /** Share of time the event loop was busy since the last message. */
  readonly utilization: number;
}

export type HostToProcess = TimedBatch | AbortMessage | CancelMessage | StateMessage | RpcMessage;
export type ProcessToHost = CellMessage | RpcMessage | BegunMessage | VitalsMessage;

/** The watchdog thread's own pipe: where the child finds it, and what is said on it, one line of JSON each. */
export const watchFd = 4;

/** An expression for the main thread, which answers it also in the middle of a loop. */
export interface WatchQuestion {
  readonly ask: number;
  readonly expression: string;
}

/** The inspector's result, as it is; the answer nobody asked for, by the number 0, says that the watchdog is there. */
export interface WatchAnswer {
  readonly ask: number;
  readonly result?: unknown;
  /** The question was passed on to the main thread, which has not answered yet. */
  readonly taken?: boolean;
}
