// What comes out of a cell, whichever kind it is: checked, told to the owner, and its last word remembered.
import { isCellMessage } from './cell-message.ts';
import type { OutputOptions, ResultsMessage } from '../../protocol/cell/messages.ts';
import type { SentCommand, StateChanges } from '../../protocol/cell/effects.ts';
import type { CellEnd, CellListener } from './cell.ts';

export class CellInbox {
  readonly #listener: CellListener;
  readonly #crashed: () => void;
  #lastWord: CellEnd | undefined;
  #maxOutputBytes = 0;
  #maxStateBytes = 0;
  #outputs: OutputOptions | undefined;
  #malformed = 0;

  constructor(listener: CellListener, crashed: () => void) {
    this.#listener = listener;
    this.#crashed = crashed;
  }

  /** Messages no cell of ours would send. */
  get malformed(): number {
    return this.#malformed;
  }

  /** Larger ones no cell of ours would send. */
  allowOutputs(maxBytes: number): void {
    this.#maxOutputBytes = maxBytes;
  }

  /** What one event may send. */
  allowCommands(outputs: OutputOptions | undefined): void {
    this.#outputs = outputs;
  }

  /** What one event may change of the state at most. */
  allowState(maxBytes: number): void {
    this.#maxStateBytes = Math.max(this.#maxStateBytes, maxBytes);
  }

  receive(message: unknown): void {
    if (!isCellMessage(message) || (message.type === 'results' && !this.#fits(message))) {
      this.#malformed += 1;
      return;
    }
    switch (message.type) {
      case 'results':
        this.#listener.results(message);
        return;
      case 'progress':
        this.#listener.progressed?.();
        return;
      case 'halted':
        this.#listener.halted(message);
        return;
      case 'log':
        this.#listener.log(message);
        return;
      case 'logDropped':
        this.#listener.logDropped(message);
        return;
      case 'say':
        this.#listener.said?.(message);
        return;
      case 'sayDropped':
        this.#listener.sayDropped?.(message);
        return;
      case 'crash':
        this.remember({ reason: message.reason, error: message.error, exitCode: message.exitCode ?? null });
        this.#crashed();
    }
  }

  #fits({ outputs, effects }: ResultsMessage): boolean {
    return (
      outputs.every(({ json }) => json.length <= this.#maxOutputBytes) &&
      (effects === undefined ||
        effects.every(
          ({ state = [], commands = [] }) => lengthOf(state) <= this.#maxStateBytes && this.#allowsCommands(commands),
        ))
    );
  }

  #allowsCommands(commands: readonly SentCommand[]): boolean {
    const { maxCommands = 0, maxCommandBytes = 0 } = this.#outputs ?? {};
    return commands.length <= maxCommands && commands.every(({ json }) => json.length <= maxCommandBytes);
  }

  /** The first word on why is the true one; what follows are its consequences. */
  remember(end: CellEnd): void {
    this.#lastWord ??= end;
  }

  /** Why the cell ended: by its own word where it gave one. */
  endOf(seen: CellEnd): CellEnd {
    return this.#lastWord === undefined
      ? seen
      : { ...this.#lastWord, exitCode: this.#lastWord.exitCode ?? seen.exitCode };
  }
}

/** Characters of the values. */
const lengthOf = (changes: StateChanges): number =>
  changes.reduce((total, item, at) => total + (at % 2 === 1 && item !== null ? item.length : 0), 0);
