// What the host and the cell of a tool say to each other: the task through the pool, everything else on a private
// port (threads) or the child's own channel (processes). Kept free of zod, because every cell loads it.
import type { MessagePort } from 'node:worker_threads';
import type { WireError } from '../errors.ts';
import type { CrashMessage, LogDroppedMessage, LogMessage } from './messages.ts';

export interface ToolCellOptions {
  readonly plugin: { readonly id: string; readonly name: string; readonly version: string };
  readonly entryUrl: string;
  /** The plugin's part of the configuration, as JSON text. */
  readonly configJson: string;
  /** Schemas as JSON text; a list, because a tool may be called `__proto__`. */
  readonly tools: readonly { readonly name: string; readonly inputSchema: string; readonly outputSchema: string }[];
  readonly logBytesPerSecond: number;
  readonly maxOutputBytes: number;
  /** A cell whose heap is larger than this after a call is replaced. */
  readonly heapMb: number;
  /** What the cell's guard lets through. */
  readonly grants: { readonly worker: boolean; readonly addons: boolean; readonly controlSocket?: string };
}

/** What a pooled thread is started with. Memory that comes with each task is costly to take. */
export interface PooledOptions extends ToolCellOptions {
  readonly trays: readonly SharedArrayBuffer[];
}

export interface ToolTask {
  readonly call: number;
  readonly tool: string;
  readonly inputJson: string;
  readonly callId?: string;
}

/** For a pooled thread: calls of one tool, to be run one after the other. Lists are cheaper to send than tasks. */
export interface PooledTask {
  readonly tray: number;
  /** Of a tray that threads do not have from their start. */
  readonly buffer?: SharedArrayBuffer;
  readonly tool: string;
  readonly calls: readonly number[];
  readonly inputs: readonly string[];
  /** Left out where no call has one. */
  readonly callIds?: readonly (string | undefined)[];
}

/**
 * For a cell that runs one call, before it has that call. A thread gets its private port and register; a process, which
 * gets nothing at its start, its options.
 */
export type ToolPreparation =
  | { readonly prepare: 'thread'; readonly port: MessagePort; readonly register: SharedArrayBuffer }
  | { readonly prepare: 'process'; readonly options: ToolCellOptions };

export type ToolErrorCode = 'tool_input_invalid' | 'tool_output_invalid' | 'tool_failed' | 'payload_too_large';

/** What a cell answers a call with; the output is JSON text that the host never parses. */
export type ToolAnswer =
  | { readonly ok: true; readonly json: string; readonly durationMs: number }
  | {
      readonly ok: false;
      readonly error: Pick<WireError, 'message' | 'details'> & { readonly code: ToolErrorCode };
      readonly durationMs: number;
    };

/** A pooled thread's first word, before the plugin is there: its private port and its register. */
export interface SeatMessage {
  readonly type: 'seat';
  readonly threadId: number;
  readonly port: MessagePort;
  readonly register: SharedArrayBuffer;
}

/** An answer after which the cell is to be ended: it came beside the pool, so the pool gives the cell nothing more. */
export interface LastAnswerMessage {
  readonly type: 'lastAnswer';
  readonly call: number;
  readonly answer: ToolAnswer;
}

/** The answer of a pooled call that found no room on its tray, or is none that a tray can hold. */
export interface AnswerMessage {
  readonly type: 'answer';
  readonly call: number;
  readonly answer: ToolAnswer;
}

/** What a cell does for a call. */
export type CellPhase = 'compiling' | 'checkingInput' | 'importing' | 'running' | 'checkingOutput';

/** Where a call is, from a cell without shared memory. */
export interface ProgressMessage {
  readonly type: 'progress';
  readonly call: number;
  readonly phase: CellPhase;
}

/** How far a call has come, in the tool's own words. */
export interface CallProgress {
  /** In whatever unit the tool counts. */
  readonly done: number;
  readonly total?: number;
  readonly message?: string;
}

/** A tool has called `ctx.progress`. */
export interface CallProgressMessage {
  readonly type: 'callProgress';
  readonly call: number;
  readonly progress: CallProgress;
}

/** A longer message of `ctx.progress` is cut. */
export const progressMessageLength = 500;

export type ToolCellMessage =
  | LogMessage
  | LogDroppedMessage
  | CrashMessage
  | AnswerMessage
  | LastAnswerMessage
  | ProgressMessage
  | CallProgressMessage;

/** Host to cell: the call is about to be ended. */
export interface AbortCallMessage {
  readonly type: 'abortCall';
  readonly call: number;
  readonly reason: string;
}
