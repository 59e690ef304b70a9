// One input on its way through a program, from when it was given to its one end. Whatever happens to its cell later
// finds it over and changes nothing.
import type { ProgramEnd, ProgramInput } from './program.ts';
import type { ProgramLimits } from './program-offer.ts';

export class RunningInput {
  readonly number: number;
  readonly input: ProgramInput;
  readonly ended: Promise<ProgramEnd>;
  readonly #say: (text: string) => void;
  #bytesLeft: number;
  #piecesLeft: number;
  #over = false;
  #begins = 0;
  #cancelled = false;
  #tell: (end: ProgramEnd) => void = () => {};

  constructor(
    number: number,
    input: ProgramInput,
    say: (text: string) => void,
    limits: Pick<ProgramLimits, 'workerSayBytes' | 'workerSayPieces'>,
  ) {
    this.number = number;
    this.input = input;
    this.#say = say;
    this.#bytesLeft = limits.workerSayBytes;
    // The cell sends larger pieces once it has used these up; there are never more of those than of these and the
    // bytes.
    this.#piecesLeft = limits.workerSayPieces + Math.ceil(limits.workerSayBytes / leastLumpBytes) + 1;
    this.ended = new Promise((resolve) => {
      this.#tell = resolve;
    });
  }

  get over(): boolean {
    return this.#over;
  }

  /** It was asked to end: whatever it ends in, it was cancelled. */
  get cancelled(): boolean {
    return this.#cancelled;
  }

  cancel(): void {
    this.#cancelled = true;
  }

  /** It was not begun by the cell that had it; true when another may try. */
  comesAgain(): boolean {
    this.#begins += 1;
    return !this.#over && !this.#cancelled && this.#begins <= mostAgain;
  }

  /** False for what belongs to another input, comes too late, or is more than a cell of ours would send. */
  said(number: number, text: string, redact: (text: string) => string): boolean {
    const bytes = Buffer.byteLength(text);
    if (this.#over || number !== this.number || bytes > this.#bytesLeft || this.#piecesLeft === 0) return false;
    this.#bytesLeft -= bytes;
    this.#piecesLeft -= 1;
    this.#say(redact(text));
    return true;
  }

  /** True the first time. */
  end(end: ProgramEnd): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#tell(this.#cancelled ? { kind: 'cancelled' } : end);
    return true;
  }
}

/** Cells that die before they begin an input, one after the other, are no accident. */
const mostAgain = 2;
/** What the cell gathers before it sends a piece that is to be a large one, in characters. */
const leastLumpBytes = 8 * 1024;
