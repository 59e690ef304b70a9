// The dead letters of a shared service that one member has, oldest first: asked for in pieces, as they are needed.
import { asHostError } from '../../protocol/errors.ts';
import type { OperationParams, OperationResult } from '../../protocol/operations.ts';

type LetterOperation = 'deadLetter.list' | 'deadLetter.show' | 'deadLetter.replay' | 'deadLetter.discard';

/** Asks one member, or this one, for what it has itself. */
export type AskLetters = <Name extends LetterOperation>(
  member: string,
  operation: Name,
  params: OperationParams<Name>,
) => Promise<OperationResult<Name>>;

export type ListedLetter = OperationResult<'deadLetter.list'>['deadLetters'][number];

export interface MemberLettersOptions {
  readonly member: string;
  readonly plugin: string;
  readonly ask: AskLetters;
  /** Asked for at once. */
  readonly most: number;
  /** The id of the one behind which it begins. */
  readonly behind?: string | undefined;
}

export class MemberLetters {
  readonly member: string;
  /** That it has in all, as it said last. */
  total = 0;
  evicted = 0;
  /** The id of the one that was taken last. */
  last: string | undefined;
  readonly #options: MemberLettersOptions;
  #most: number;
  #piece: readonly ListedLetter[] = [];
  #at = 0;
  #isLastPiece = false;

  constructor(options: MemberLettersOptions) {
    this.#options = options;
    this.member = options.member;
    this.last = options.behind;
    this.#most = options.most;
  }

  /** Undefined behind the last one. */
  async next(): Promise<ListedLetter | undefined> {
    if (this.#at === this.#piece.length && !this.#isLastPiece) await this.#fetch();
    return this.#piece[this.#at];
  }

  take(): void {
    this.last = this.#piece[this.#at]?.id;
    this.#at += 1;
  }

  async #fetch(): Promise<void> {
    const { member, plugin, ask } = this.#options;
    for (;;) {
      const limit = this.#most;
      const after = this.last === undefined ? {} : { after: this.last };
      try {
        const { deadLetters, total, evicted } = await ask(member, 'deadLetter.list', { plugin, limit, ...after });
        this.#piece = deadLetters;
        this.#at = 0;
        this.#isLastPiece = deadLetters.length < limit;
        this.total = total;
        this.evicted = evicted;
        return;
      } catch (thrown) {
        // Their stories are long: fewer of them fit into one message.
        if (asHostError(thrown).code !== 'payload_too_large' || limit === 1) throw thrown;
        this.#most = Math.ceil(limit / 4);
      }
    }
  }
}
