// One interface for the isolated places where plugin code runs. Nothing outside this folder knows which kind of
// cell it holds. Every call has a deadline, and no call outlives its cell.
import type {
  BatchMessage,
  CellAnswer,
  CrashReason,
  HaltedMessage,
  LogDroppedMessage,
  LogMessage,
  ResultsMessage,
  SayDroppedMessage,
  SayMessage,
  ServiceCellOptions,
  StartedService,
} from '../../protocol/cell/messages.ts';
import type { PlainError } from '../../protocol/cell/plain-error.ts';
import type { CellGrants } from '../isolates/permissions.ts';
import type { ProgressRegister } from '../../protocol/cell/register.ts';
import type { Isolation, McpSection } from '../../protocol/manifest.ts';
import type { Whereabouts } from '../isolates/whereabouts.ts';

/** Why a cell is no more; `killed` only when the host ended it. */
export interface CellEnd {
  readonly reason:
    | CrashReason
    | 'killed'
    | 'out_of_memory'
    | 'heap_limit'
    | 'descriptor_limit'
    | 'stalled'
    | 'rss_limit'
    | 'signal'
    | 'spinning'
    | 'spawn_failed'
    | 'ended';
  readonly error: PlainError;
  readonly exitCode: number | null;
}

/** What a call came to: the cell's own answer, or that its deadline passed, or that the cell ended first. */
export type CallOutcome<Value> =
  | CellAnswer<Value>
  | { readonly ok: false; readonly phase: 'deadline' }
  | { readonly ok: false; readonly phase: 'ended'; readonly end: CellEnd };

export interface LoadedService {
  readonly hasStatus: boolean;
  readonly hasStop: boolean;
}

export interface CellUsage {
  readonly threadId?: number;
  readonly pid?: number;
  readonly heapUsedMb: number;
  readonly rssMb?: number;
  /** Share of time the cell's event loop was busy since the last look. */
  readonly utilization: number;
  readonly unkillable: boolean;
}

export interface LaneWindow {
  readonly batches: number;
  /** In one batch. */
  readonly events: number;
}

/** What a cell tells its owner. */
export interface CellListener {
  results(message: ResultsMessage): void;
  /** Of a cell with shared memory: what it has come to is found in the register. */
  progressed?(): void;
  halted(message: HaltedMessage): void;
  log(message: LogMessage): void;
  logDropped(message: LogDroppedMessage): void;
  /** Of a profile's cell alone, as is the next. */
  said?(message: SayMessage): void;
  sayDropped?(message: SayDroppedMessage): void;
  /** Comes once and last, after every message the cell had sent. */
  ended(end: CellEnd): void;
  /** The kill ladder ran out before the cell did; `ended` follows at once, and the cell is given up. */
  unkillable(): void;
  /** The thread or process of a cell that was given up has ended after all. */
  leftBehindEnded?(): void;
  /** It has computed for long without a rest, and its thread got a lower priority. */
  lowered?(): void;
}

export interface Cell {
  readonly register: ProgressRegister;
  /** Messages that came from the cell, had another form than a cell of ours sends, and were dropped. */
  readonly malformed: number;
  /** How much may be on the way to the cell at once; the lane's own measure where it does not say. */
  readonly window?: LaneWindow;
  load(options: ServiceCellOptions, deadlineMs: number): Promise<CallOutcome<LoadedService>>;
  /** `state`: what `ctx.state` holds, as one JSON object; absent where it holds nothing. */
  start(deadlineMs: number, state?: string): Promise<CallOutcome<StartedService>>;
  /** The state has been changed by another incarnation since the start of this one, which has been sent no event. */
  replaceState?(json: string): void;
  status(deadlineMs: number): Promise<CallOutcome<string>>;
  stop(deadlineMs: number): Promise<CallOutcome<null>>;
  send(batch: BatchMessage): void;
  /** Ends one input of a profile by its signal alone. */
  cancel?(turn: number, reason: string): void;
  /** Takes, at once, every message the cell has posted. */
  drain(): void;
  /** Where messages cannot be taken at once: runs `then` when those that have arrived by now were taken. */
  arrivals?(then: () => void): void;
  /** Aborts the plugin's signal and nothing more: the cell is not ended. */
  abort(reason: string): void;
  /** Climbs the kill ladder; `ended` follows within the ladder's bound, whatever the plugin does. */
  kill(reason: string): void;
  /** The same without asking first: for a cell that has nothing left to do. */
  end(): void;
  /** Where the plugin's code is right now; asked before a cell is ended for its deadline. Never rejects. */
  locate(withinMs: number): Promise<Whereabouts>;
  usage(): CellUsage;
}

export interface CellSpec {
  readonly isolation: Isolation;
  /** A hosted MCP server, which runs instead of a plugin's code. */
  readonly server?: McpSection | undefined;
  /** For thread names and process titles. */
  readonly name: string;
  /** The plugin's. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** Flags of Node's permission model; none where the plugin may do everything. */
  readonly execArgv: readonly string[];
  /** What a thread cell's own guard lets through; flags of Node's are beside it. */
  readonly grants?: CellGrants;
  readonly heapMb: number;
  /** Of a process cell. */
  readonly rssMb: number;
  /** Files, folders, sockets and pipes. */
  readonly descriptors: number;
  readonly logBytesPerSecond: number;
  /**
   * An event that a process cell has not begun after this it must not begin any more: it may be somebody else's by
   * then.
   */
  readonly beginWithinMs: number;
  /**
   * A thread that has an event to begin and runs for so long without coming to it is ended; processor time alone
   * counts.
   */
  readonly spinMs: number;
}

export type SpawnCell = (spec: CellSpec, listener: CellListener) => Cell;
