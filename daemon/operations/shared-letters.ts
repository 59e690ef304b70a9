// The dead letters of a service that the members of a cluster share, as one list: each member keeps those of its
// partitions, and any member can be asked for all of them.
import type { DeadLetter } from '../../protocol/dead-letter.ts';
import { HostError, asHostError } from '../../protocol/errors.ts';
import type { OperationParams, OperationResult } from '../../protocol/operations.ts';

type LetterOperation = 'deadLetter.list' | 'deadLetter.show' | 'deadLetter.replay' | 'deadLetter.discard';

/** Asks one member, or this one, for what it has itself. */
export type AskLetters = <Name extends LetterOperation>(
  member: string,
  operation: Name,
  params: OperationParams<Name>,
) => Promise<OperationResult<Name>>;

type Listed = OperationResult<'deadLetter.list'>['deadLetters'][number];

interface Kept {
  readonly member: string;
  readonly letter: Listed;
}

/** Of one answer, which is one message of the server. */
const mostInPage = 200;
const shownIds = 20;

export class SharedLetters {
  readonly #members: readonly string[];
  readonly #ask: AskLetters;

  /** `members`: those that have partitions of the service. */
  constructor(members: readonly string[], ask: AskLetters) {
    this.#members = members;
    this.#ask = ask;
  }

  /** Oldest first, whichever member has them. */
  async list({
    plugin,
    after,
    limit,
  }: OperationParams<'deadLetter.list'>): Promise<OperationResult<'deadLetter.list'>> {
    const { letters, evicted } = await this.#all(plugin);
    const from = after === undefined ? 0 : letters.findIndex(({ letter: { id } }) => id === after) + 1;
    if (after !== undefined && from === 0) throw notFound([after]);
    const page = letters.slice(from, from + limit).map(({ letter }) => letter);
    return { deadLetters: page, total: letters.length, evicted };
  }

  async show(params: OperationParams<'deadLetter.show'>): Promise<OperationResult<'deadLetter.show'>> {
    const found = await Promise.all(
      this.#members.map((member) =>
        this.#ask(member, 'deadLetter.show', params).catch((thrown: unknown) => {
          if (asHostError(thrown).code === 'dead_letter_not_found') return undefined;
          throw thrown;
        }),
      ),
    );
    const shown = found.find((one) => one !== undefined);
    if (shown === undefined) throw notFound([params.id]);
    return shown;
  }

  /** In the order in which they are named; without names, oldest first. */
  async replay(params: OperationParams<'deadLetter.replay'>): Promise<OperationResult<'deadLetter.replay'>> {
    const { letters } = await this.#all(params.plugin);
    const answers = await Promise.all(
      this.#sharesOf(letters, params.ids).map(([member, ids]) =>
        this.#ask(member, 'deadLetter.replay', { ...params, ids }),
      ),
    );
    const results = answers.flatMap((answer) => answer.results);
    const order = new Map((params.ids ?? letters.map(({ letter: { id } }) => id)).map((id, at) => [id, at]));
    const placeOf = ({ id }: { readonly id: string }): number => order.get(id) ?? order.size;
    return { results: results.sort((one, other) => placeOf(one) - placeOf(other)) };
  }

  async discard(params: OperationParams<'deadLetter.discard'>): Promise<OperationResult<'deadLetter.discard'>> {
    const { letters } = params.ids === undefined ? { letters: [] } : await this.#all(params.plugin);
    const answers = await Promise.all(
      this.#sharesOf(letters, params.ids).map(([member, ids]) =>
        this.#ask(member, 'deadLetter.discard', { ...params, ids }),
      ),
    );
    return { discarded: answers.reduce((sum, { discarded }) => sum + discarded, 0) };
  }

  /** Without names, each member is asked for all that it has. Throws where one that is named is nowhere. */
  #sharesOf(
    letters: readonly Kept[],
    named: readonly string[] | undefined,
  ): readonly (readonly [member: string, ids: string[] | undefined])[] {
    if (named === undefined) return this.#members.map((member) => [member, undefined]);
    const members = new Map(letters.map(({ member, letter: { id } }) => [id, member]));
    const missing = named.filter((id) => !members.has(id));
    // Then nothing is done with any.
    if (missing.length > 0) throw notFound(missing);
    const shares = new Map<string, string[]>();
    for (const id of new Set(named)) {
      const member = members.get(id) ?? '';
      shares.set(member, [...(shares.get(member) ?? []), id]);
    }
    return [...shares];
  }

  async #all(plugin: string): Promise<{ readonly letters: readonly Kept[]; readonly evicted: number }> {
    const lists = await Promise.all(this.#members.map((member) => this.#ofMember(member, plugin)));
    const letters = lists.flatMap((list) => list.letters);
    letters.sort((one, other) => compare(one.letter, other.letter));
    return { letters, evicted: lists.reduce((sum, { evicted }) => sum + evicted, 0) };
  }

  async #ofMember(member: string, plugin: string): Promise<{ readonly letters: Kept[]; readonly evicted: number }> {
    const letters: Kept[] = [];
    let limit = mostInPage;
    for (let after: string | undefined; ; after = letters.at(-1)?.letter.id) {
      const params = { plugin, limit, ...(after === undefined ? {} : { after }) };
      try {
        const page = await this.#ask(member, 'deadLetter.list', params);
        for (const letter of page.deadLetters) letters.push({ member, letter });
        if (page.deadLetters.length < limit || letters.length >= page.total) return { letters, evicted: page.evicted };
      } catch (thrown) {
        // Their stories are long: fewer of them fit into one message.
        if (asHostError(thrown).code !== 'payload_too_large' || limit === 1) throw thrown;
        limit = Math.ceil(limit / 4);
      }
    }
  }
}

const compare = (one: Pick<DeadLetter, 'deadAt' | 'id'>, other: Pick<DeadLetter, 'deadAt' | 'id'>): number => {
  if (one.deadAt !== other.deadAt) return one.deadAt < other.deadAt ? -1 : 1;
  return one.id < other.id ? -1 : 1;
};

function notFound(ids: readonly string[]): HostError {
  const [id = '', ...others] = ids;
  const more = others.length === 0 ? '' : `, nor ${String(others.length)} of the others that were named`;
  return new HostError('dead_letter_not_found', `No member of the cluster has a dead letter ${id}${more}.`, {
    id,
    ids: ids.slice(0, shownIds),
  });
}
