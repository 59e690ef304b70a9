// One call in a thread or process of its own. The run begins before it has a call, when its cell is started to be ready
// for one, and ends with that call's answer; the cell is ended with it, whatever the end.
import { type PlainError, flattenError } from '../../../protocol/cell/plain-error.ts';
import type { CallProgress, CellPhase, ToolAnswer, ToolTask } from '../../../protocol/cell/tool-messages.ts';
import type { HostError } from '../../../protocol/errors.ts';
import type { Whereabouts } from '../../isolates/whereabouts.ts';
import { strayCrash } from './thread-end.ts';
import type { CallPhase, PoolRun, RunEnd, RunListener } from './tool-pool.ts';

export type LoneEnd = RunEnd | { readonly kind: 'answered'; readonly answer: ToolAnswer };

/** A thread or process that runs one call. */
export interface LoneCell {
  take(task: ToolTask): void;
  /** Undefined until the cell is at the call. */
  readonly phase: CellPhase | undefined;
  /** When the call began, on the clock of `monotonicMs`; undefined before the schemas are compiled. */
  readonly beganMs: number | undefined;
  abort(call: number, reason: string): void;
  locate(withinMs: number): Promise<Whereabouts>;
  /** Ends it with all that it has started. Called once. */
  end(): void;
}

/** Whom a cell tells what becomes of it. */
export interface LoneCellOwner {
  /** It is at its call. */
  began(): void;
  answered(call: number, answer: ToolAnswer): void;
  progressed(call: number, progress: CallProgress): void;
  crashed(reason: string, error: PlainError): void;
  /** It has ended without a word, or cannot be started. */
  failed(end: RunEnd): void;
  /** It is about to end by itself, and must be given no call. */
  unfit(): void;
}

export interface LoneRunParts {
  began(): void;
  unfit(run: LoneRun): void;
  ended(run: LoneRun): void;
  /** The cell ended without having had a call. */
  troubled(error: HostError): void;
}

export class LoneRun implements PoolRun, LoneCellOwner {
  readonly #parts: LoneRunParts;
  readonly #cell: LoneCell | undefined;
  #given: { readonly task: ToolTask; readonly listener: RunListener } | undefined;
  #over = false;

  constructor(start: (owner: LoneCellOwner) => LoneCell, parts: LoneRunParts) {
    this.#parts = parts;
    try {
      this.#cell = start(this);
    } catch (thrown) {
      queueMicrotask(() => this.end({ kind: 'lost', error: flattenError(thrown) }));
    }
  }

  give(task: ToolTask, listener: RunListener): void {
    this.#given = { task, listener };
    this.#cell?.take(task);
  }

  // What the lane asks.

  phaseOf(): CallPhase {
    return this.#cell?.phase ?? 'starting';
  }

  beganMsOf(): number | undefined {
    return this.#cell?.beganMs;
  }

  get startedMs(): number | undefined {
    return this.#cell?.beganMs;
  }

  abort(call: number, reason: string): void {
    this.#cell?.abort(call, reason);
  }

  kill(): void {
    this.end({ kind: 'killed' });
  }

  locate(_call: number, withinMs: number): Promise<Whereabouts> {
    return this.#cell?.locate(withinMs) ?? Promise.resolve({ kind: 'unknown', frames: [] });
  }

  // What the cell tells.

  began(): void {
    if (!this.#over) this.#parts.began();
  }

  answered(call: number, answer: ToolAnswer): void {
    if (call === this.#given?.task.call) this.end({ kind: 'answered', answer });
  }

  progressed(call: number, progress: CallProgress): void {
    if (!this.#over && call === this.#given?.task.call) this.#given.listener.progressed(call, progress);
  }

  crashed(reason: string, error: PlainError): void {
    this.end(this.#cell?.phase === undefined ? { kind: 'lost', error } : { kind: 'crashed', reason, error });
  }

  failed(end: RunEnd): void {
    this.end(end);
  }

  unfit(): void {
    this.#parts.unfit(this);
  }

  end(end: LoneEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#cell?.end();
    this.#parts.ended(this);
    const listener = this.#given?.listener;
    if (listener === undefined) {
      if (end.kind === 'crashed' || end.kind === 'lost') this.#parts.troubled(strayCrash('ended', end.error));
    } else if (end.kind === 'answered') {
      if (this.#given !== undefined) listener.answered(this.#given.task.call, end.answer);
      listener.ended({ kind: 'over' });
    } else {
      listener.ended(end);
    }
  }
}
