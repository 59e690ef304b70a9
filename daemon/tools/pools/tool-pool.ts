// What the three kinds of pool have in common for those who use them. Nothing outside this folder knows which kind
// runs a tool. A pool runs what it is given at once: whose turn it is, and until when, is decided before.
import type { PlainError } from '../../../protocol/cell/plain-error.ts';
import type { LogDroppedMessage, LogMessage } from '../../../protocol/cell/messages.ts';
import type {
  CallProgress,
  CellPhase,
  ToolAnswer,
  ToolCellOptions,
  ToolTask,
} from '../../../protocol/cell/tool-messages.ts';
import type { HostError } from '../../../protocol/errors.ts';
import type { CellRecorder } from '../../cells/process/process-cell.ts';
import type { Whereabouts } from '../../isolates/whereabouts.ts';
import type { Clock } from '../../time/clock.ts';
import type { Limits } from '../../config/schema.ts';

/** `queued`: it waits for a cell to come free, or behind another call. `starting`: its cell is being started. */
export type CallPhase = 'queued' | 'starting' | CellPhase;

/** How a run came to its end. Its answers were told before. */
export type RunEnd =
  | { readonly kind: 'over' }
  /** By the doing of the first call that is not answered. */
  | {
      readonly kind: 'crashed';
      readonly reason: string;
      readonly error: PlainError;
      readonly exitCode?: number;
      readonly signal?: string;
    }
  /** Its cell ended while no call ran in it: those that are not answered may safely run again. */
  | { readonly kind: 'lost'; readonly error: PlainError }
  | { readonly kind: 'killed' };

/** Calls are named by their numbers. */
export interface PoolRun {
  phaseOf(call: number): CallPhase;
  /** When the call began in its cell, on the clock of `monotonicMs`. */
  beganMsOf(call: number): number | undefined;
  /**
   * When its first call began, on the same clock, with the cell started and the schemas of the tool compiled; undefined
   * before.
   */
  readonly startedMs: number | undefined;
  /** Tells the tool by its ctx.signal that it is about to be ended. */
  abort(call: number, reason: string): void;
  /** Ends the cell that runs it, and with it nothing else. */
  kill(): void;
  /** Where the tool's code is right now, where that can be had. Never rejects. */
  locate(call: number, withinMs: number): Promise<Whereabouts>;
  /** Only where cells are kept between calls. */
  readonly shared?: SharedCellRun;
}

/** What there is to do for a run whose cell takes several calls at a time, and has run others before. */
export interface SharedCellRun {
  /** A call is at work in its cell. */
  readonly busy: boolean;
  /** Tells of the answers that are here and were not told yet. */
  collect(): void;
  /** From here on none of its calls begins. Answers how many have been taken back by this: the last ones. */
  withdraw(): number;
  /**
   * It does not begin, or not go on. Where that is because its cell is busy with something else, the cell is ended and
   * the run's end is `lost`; one that waits for a cell to start goes on waiting.
   */
  retract(): void;
}

export interface RunListener {
  answered(call: number, answer: ToolAnswer): void;
  /** The tool has told how far it has come. */
  progressed(call: number, progress: CallProgress): void;
  /** Comes once, when the pool has room for another run. */
  ended(end: RunEnd): void;
}

export interface ToolPool {
  /** How many calls of one tool a run may take; its cell runs them in their order. */
  readonly callsAtOnce: number;
  run(tasks: readonly ToolTask[], listener: RunListener): PoolRun;
  /** Threads or processes that exist, those being ended included. */
  readonly cells: number;
  /** The same without those that are just being started, for who asks at every call. */
  readonly livingCells: number;
  /** Cells that did not end in time and still exist. */
  readonly leftBehind: number;
  /** Ends all there is. Resolves when it is gone, or at the deadline without what does not end. */
  close(deadlineMs: number): Promise<void>;
}

export interface PoolListener {
  log(message: LogMessage | LogDroppedMessage): void;
  /** A cell ended while no call was to blame, or does not end at all. */
  troubled(error: HostError): void;
  /** A cell is gone. `leftBehind`: it had not ended in the time it had. */
  gone(leftBehind: boolean): void;
}

export interface PoolSpec {
  /** The plugin's. */
  readonly folder: string;
  readonly cell: ToolCellOptions;
  /** What a thread may hold in and beside its heap, or a process with all that it has started. */
  readonly rssMb: number;
  readonly descriptors: number;
  readonly env: Readonly<Record<string, string>>;
  /** Flags of Node's permission model; none where the plugin may do everything. */
  readonly execArgv: readonly string[];
  readonly maxCells: number;
  readonly limits: Pick<Limits, 'toolIdleMs' | 'killMs' | 'cellMessagesPerTurn'>;
  readonly clock: Clock;
  /** Where processes are written down for the daemon that comes after this one. */
  readonly records?: CellRecorder;
}

/** The function that every pool calls in `workers/tool-cell.ts`. */
export const cellFunction = 'runTool';
