// What a profile's program says to one input, on its way to the host: bounded, in order, and a piece at a time while
// there are few. A flood of tiny pieces is put together here, because each message costs the host a turn of its own.
import { monotonicMs } from '../protocol/cell/register.ts';
import { captured } from './primitives.ts';

/** So many pieces of one turn of the event loop go out as they are said. */
const alonePerTurn = 8;
/** A program that never lets the event loop turn is still heard while it works. */
const silenceMs = 10;
/** What has grown to this length waits no longer. */
const lumpLength = 8 * 1024;

export interface SaidLimits {
  readonly maxSaidBytes: number;
  readonly maxPieces: number;
}

export class SayBuffer {
  readonly #limits: SaidLimits;
  readonly #post: (text: string) => void;
  readonly #late: () => void;
  #bytes = 0;
  #pieces = 0;
  #thisTurn = 0;
  #turnEnds = false;
  #postedMs = 0;
  #pending = '';
  #closed = false;

  /** `late`: something was said after the end. */
  constructor(limits: SaidLimits, post: (text: string) => void, late: () => void) {
    this.#limits = limits;
    this.#post = post;
    this.#late = late;
  }

  say(text: unknown): void {
    if (typeof text !== 'string')
      throw new TypeError(`ctx.say takes a text, not ${text === null ? 'null' : `a value of type ${typeof text}`}`);
    if (this.#closed) {
      this.#late();
      return;
    }
    const bytes = captured.byteLength(text);
    const { maxSaidBytes } = this.#limits;
    if (this.#bytes + bytes > maxSaidBytes) {
      throw new RangeError(
        `ctx.say: at most ${String(maxSaidBytes)} bytes may be said to one input (limits.workerSayBytes); ${String(this.#bytes)} were said, and these ${String(bytes)} are too many`,
      );
    }
    this.#bytes += bytes;
    this.#pending += text;
    this.#postOrWait();
  }

  /** What still waits for company goes out now. */
  flush(): void {
    if (this.#pending === '') return;
    const text = this.#pending;
    this.#pending = '';
    this.#pieces += 1;
    this.#thisTurn += 1;
    this.#postedMs = monotonicMs();
    this.#post(text);
  }

  close(): void {
    this.flush();
    this.#closed = true;
  }

  #postOrWait(): void {
    const few = this.#pieces < this.#limits.maxPieces;
    const alone = few && (this.#thisTurn < alonePerTurn || monotonicMs() - this.#postedMs >= silenceMs);
    if (alone || this.#pending.length >= lumpLength) this.flush();
    this.#atTurnEnd();
  }

  #atTurnEnd(): void {
    if (this.#turnEnds) return;
    this.#turnEnds = true;
    captured.setImmediate(() => {
      this.#turnEnds = false;
      if (this.#pieces < this.#limits.maxPieces) this.flush();
      this.#thisTurn = 0;
    });
  }
}
