// What host and cell say to each other beside the RPC calls: batches one way, results, log lines and last words the
// other. Kept free of zod, because every cell loads it and a cell must start fast.
import type { EventEffects, StateChanges } from './effects.ts';
import type { PlainError } from './plain-error.ts';

/** Host to cell: events to execute strictly one after the other. */
export interface BatchMessage {
  readonly type: 'batch';
  /** The register's sequence of the first event; the others follow without a gap. */
  readonly first: number;
  readonly count: number;
  /** The events as one text; see `batch.ts`. */
  readonly json: string;
  /** Offsets of events somebody waits for: their results go out at once, with the output. */
  readonly awaited: readonly number[];
  /** Where answers are laid from now on; sent once, with the first batch that somebody waits for. */
  readonly outputs?: SharedArrayBuffer;
  /** Other services wait for their turn: the host is to be told when this one has begun to wait for something too. */
  readonly othersWait?: true;
  /** The cell has paused, and goes on with this batch; what was sent before it is dropped. */
  readonly resumes?: true;
}

export interface AbortMessage {
  readonly type: 'abort';
  readonly reason: string;
}

/** The state as another incarnation has left it; comes before the first batch of a cell that was started beside it. */
export interface StateMessage {
  readonly type: 'state';
  /** One JSON object. */
  readonly json: string;
}

/** Ends the input of this turn and nothing else: its signal is aborted, the cell goes on. */
export interface CancelMessage {
  readonly type: 'cancel';
  readonly turn: number;
  readonly reason: string;
}

export type HostMessage = BatchMessage | AbortMessage | CancelMessage | StateMessage;

export interface EventFailure {
  readonly sequence: number;
  readonly code: 'dispatch_failed' | 'payload_invalid';
  readonly error: PlainError;
  /** The plugin says that another attempt is of no use. */
  readonly permanent?: boolean;
  /** How long the plugin wants the event to wait for its next attempt. */
  readonly afterMs?: number;
  /** The cell begins nothing behind this event before a batch resumes it. */
  readonly paused?: boolean;
  readonly issues?: readonly { readonly path: string; readonly message: string }[];
  readonly durationMs: number;
}

/** JSON made inside a cell, which the host passes on and never parses: a text, or UTF-8 where it is large. */
export type OutputJson = string | Uint8Array;

export interface EventOutput<Json extends OutputJson = OutputJson> {
  readonly sequence: number;
  readonly json: Json;
  readonly durationMs: number;
}

/** Cell to host: every event up to `through` has ended; it was handled unless it is among the failures. */
export interface ResultsMessage {
  readonly type: 'results';
  readonly through: number;
  readonly failures: readonly EventFailure[];
  readonly outputs: readonly EventOutput[];
  /** Of events that are handled but for the register's word; absent where there are none. */
  readonly effects?: readonly EventEffects[];
}

/** The register, and the ring of outputs, hold something new. */
export interface ProgressMessage {
  readonly type: 'progress';
}

/** The cell stopped between two events because it was asked to; nothing after `through` has begun. */
export interface HaltedMessage {
  readonly type: 'halted';
  readonly through: number;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

export interface LogMessage {
  readonly type: 'log';
  readonly level: LogLevel;
  /** Where the plugin wrote it. */
  readonly stream: 'log' | 'console' | 'stdout' | 'stderr';
  readonly text: string;
  /** JSON text of the fields given with the line. */
  readonly fields?: string;
  readonly correlationId?: string;
  readonly at: number;
}

/** A piece of what a profile's program says to one input; comes before the results that end that input. */
export interface SayMessage {
  readonly type: 'say';
  readonly turn: number;
  readonly text: string;
}

/** Pieces said after the end of their input: they belong nowhere. */
export interface SayDroppedMessage {
  readonly type: 'sayDropped';
  readonly pieces: number;
}

/** Lines the cell's byte budget did not let through. */
export interface LogDroppedMessage {
  readonly type: 'logDropped';
  readonly lines: number;
  readonly bytes: number;
}

/** The cell's last word: an error nobody caught, or an exit the plugin asked for. */
export interface CrashMessage {
  readonly type: 'crash';
  readonly reason: CrashReason;
  readonly error: PlainError;
  /** That the plugin asked for. */
  readonly exitCode?: number;
}

export type CrashReason = 'uncaught_exception' | 'unhandled_rejection' | 'exit';

export type CellMessage =
  | ResultsMessage
  | ProgressMessage
  | HaltedMessage
  | LogMessage
  | LogDroppedMessage
  | SayMessage
  | SayDroppedMessage
  | CrashMessage;

/** The answer of every RPC call of a cell: an error travels as data, because comlink would lose most of it. */
export type CellAnswer<Value> =
  | { readonly ok: true; readonly value: Value }
  | {
      readonly ok: false;
      readonly phase: 'import' | 'start' | 'status' | 'stop' | 'exports';
      readonly error: PlainError;
    };

export interface ServiceCellOptions {
  readonly plugin: { readonly id: string; readonly name: string; readonly version: string };
  readonly incarnation: number;
  readonly entryUrl: string;
  /** The plugin's part of the configuration, as JSON text. */
  readonly configJson: string;
  /** Payload schemas as JSON text, by ingress name. */
  readonly payloadSchemas: Readonly<Record<string, string>>;
  readonly maxOutputBytes: number;
  /** What `ctx.state` may hold. */
  readonly maxStateBytes: number;
  /** Where its commands may go; absent where it declares no outputs. */
  readonly outputs?: OutputOptions;
  /** After an event that failed and that nobody waits for, the cell pauses: the host decides what comes next. */
  readonly pausesOnFailure?: boolean;
  /** Instead of the plugin's service, one of its profiles runs here. */
  readonly profile?: ProfileCellOptions;
  /** The plugin is only imported: it has no service, and the cell ends afterwards. */
  readonly importOnly?: boolean;
}

export interface OutputOptions {
  readonly names: readonly string[];
  /** Of one event. */
  readonly maxCommands: number;
  /** Of the JSON of one command. */
  readonly maxCommandBytes: number;
}

export interface ProfileCellOptions {
  readonly name: string;
  readonly worker: { readonly runtimeId: string; readonly workerId: string };
  /** Of UTF-8, said to one input. */
  readonly maxSaidBytes: number;
  /** Messages for one input; beyond them pieces travel together. */
  readonly maxPieces: number;
}

/** The payload of the one event that each input is; `turn` tells inputs apart, also where their ids do not. */
export interface ProfilePayload {
  readonly turn: number;
  readonly content: string;
  readonly history: readonly { readonly role: 'user' | 'system' | 'worker'; readonly content: string }[];
}

export interface StartedService {
  /** What its start has changed of `ctx.state`. */
  readonly state: StateChanges | null;
}

/** What a cell exposes through comlink; the host only wraps it. */
export interface ServiceCellApi {
  /** Imports the plugin; answers which optional parts its service has. */
  load(options: ServiceCellOptions): Promise<CellAnswer<{ readonly hasStatus: boolean; readonly hasStop: boolean }>>;
  /** `state`: what `ctx.state` holds, as one JSON object; absent where it holds nothing. */
  start(state?: string): Promise<CellAnswer<StartedService>>;
  /** The plugin's own status as JSON text. */
  status(): Promise<CellAnswer<string>>;
  stop(): Promise<CellAnswer<null>>;
}
