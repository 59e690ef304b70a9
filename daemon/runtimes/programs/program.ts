// What runs behind one worker, as the runtime sees it: given one input at a time, it says things and comes to an end.
// Where its code runs, how it is timed and how it is ended is the program's own business.
import type { StateChanges } from '../../../protocol/cell/effects.ts';
import type { HostError } from '../../../protocol/errors.ts';

/** One earlier item of the worker's transcript, as the program may read it. */
export interface HistoryItem {
  readonly role: 'user' | 'system' | 'worker';
  readonly content: string;
}

export interface ProgramInput {
  readonly eventId: string;
  readonly kind: 'user' | 'system';
  readonly content: string;
  readonly createdAt: string;
  /** Oldest first, bounded by whoever gives it. */
  readonly history: readonly HistoryItem[];
  /** What the worker keeps in `ctx.state`, as one JSON object; undefined where it keeps nothing. */
  state(): string | undefined;
}

/**
 * `failed` with what the registry of errors has for it: it threw, overran its time, its cell ended or did not start.
 * `state` is what the input has changed of `ctx.state`: only an input that is done changes anything.
 */
export type ProgramEnd =
  | { readonly kind: 'done'; readonly state?: StateChanges }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'failed'; readonly error: HostError };

export interface ProgramView {
  /** Lives of its cell so far; 0 before the first input. */
  readonly incarnation: number;
  readonly isolation: 'thread' | 'process';
  /** There is a cell at the moment. */
  readonly live: boolean;
  /** Cells that were given up and may still exist. */
  readonly unkillable: number;
  /** Pieces that were said after the end of their input, or beyond the bound of one. */
  readonly droppedPieces: number;
}

export interface Program {
  /** One at a time; never rejects. `say` is called for each piece of output, in order, and never after the end. */
  run(input: ProgramInput, say: (text: string) => void): Promise<ProgramEnd>;
  /** Ends the running input, hard when it ignores its signal; nothing where none runs. */
  cancel(): void;
  view(): ProgramView;
  /** Ends its cell; what still runs ends as cancelled. Never rejects. */
  close(deadlineMs: number): Promise<void>;
}

/** What the plugin or the daemon offers under a profile's name. */
export interface Profile {
  /** `builtin:default`, or `<plugin id>:<name>`. */
  readonly name: string;
  readonly description: string;
  open(worker: { readonly runtimeId: string; readonly workerId: string }): Program;
}
