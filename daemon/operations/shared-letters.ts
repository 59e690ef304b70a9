// The dead letters of a service that the members of a cluster share, as one list: each member keeps those of its
// partitions, and any member can be asked for all of them.
import type { DeadLetter } from '../../protocol/dead-letter.ts';
import { HostError, asHostError } from '../../protocol/errors.ts';
import type { OperationParams, OperationResult } from '../../protocol/operations.ts';
import { type AskLetters, type ListedLetter, MemberLetters } from './member-letters.ts';
import type { LetterPlaces, SeenLetters } from './seen-letters.ts';

interface Kept {
  readonly member: string;
  readonly letter: ListedLetter;
}

interface PageOrder extends OperationParams<'deadLetter.list'> {
  /** Where each member goes on; undefined: all of them from their first letter, until `after` is found. */
  readonly places?: LetterPlaces | undefined;
}

export interface SharedLettersOptions {
  /** Those that have partitions of the service. */
  readonly members: readonly string[];
  readonly ask: AskLetters;
  readonly seen: SeenLetters;
  /** Another one whenever the letters of the members are others than before. */
  readonly spread: string;
}

/** Of one answer, which is one message of the server. */
const mostInPiece = 200;
const shownIds = 20;

export class SharedLetters {
  readonly #options: SharedLettersOptions;

  constructor(options: SharedLettersOptions) {
    this.#options = options;
  }

  /** Oldest first, whichever member has them. */
  async list(params: OperationParams<'deadLetter.list'>): Promise<OperationResult<'deadLetter.list'>> {
    const { after } = params;
    const places = after === undefined ? undefined : this.#options.seen.of(this.#pageAt(after));
    if (places === undefined) return await this.#page(params);
    return await this.#page({ ...params, places }).catch((thrown: unknown) => {
      if (asHostError(thrown).code !== 'dead_letter_not_found') throw thrown;
      // One of those behind which the members go on is not there any more.
      return this.#page(params);
    });
  }

  async show(params: OperationParams<'deadLetter.show'>): Promise<OperationResult<'deadLetter.show'>> {
    const found = await Promise.all(
      this.#options.members.map((member) =>
        this.#options.ask(member, 'deadLetter.show', params).catch((thrown: unknown) => {
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
    const letters = await this.#all(params.plugin);
    const answers = await Promise.all(
      this.#sharesOf(letters, params.ids).map(([member, ids]) =>
        this.#options.ask(member, 'deadLetter.replay', { ...params, ids }),
      ),
    );
    const results = answers.flatMap((answer) => answer.results);
    const order = new Map((params.ids ?? letters.map(({ letter: { id } }) => id)).map((id, at) => [id, at]));
    const placeOf = ({ id }: { readonly id: string }): number => order.get(id) ?? order.size;
    return { results: results.sort((one, other) => placeOf(one) - placeOf(other)) };
  }

  async discard(params: OperationParams<'deadLetter.discard'>): Promise<OperationResult<'deadLetter.discard'>> {
    const letters = params.ids === undefined ? [] : await this.#all(params.plugin);
    const answers = await Promise.all(
      this.#sharesOf(letters, params.ids).map(([member, ids]) =>
        this.#options.ask(member, 'deadLetter.discard', { ...params, ids }),
      ),
    );
    return { discarded: answers.reduce((sum, { discarded }) => sum + discarded, 0) };
  }

  /** Without names, each member is asked for all that it has. Throws where one that is named is nowhere. */
  #sharesOf(
    letters: readonly Kept[],
    named: readonly string[] | undefined,
  ): readonly (readonly [member: string, ids: string[] | undefined])[] {
    if (named === undefined) return this.#options.members.map((member) => [member, undefined]);
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

  readonly #pageAt = (id: string): string => `${this.#options.spread} ${id}`;

  async #page({ plugin, after, limit, places }: PageOrder): Promise<OperationResult<'deadLetter.list'>> {
    const { members, seen } = this.#options;
    let before = places === undefined ? after : undefined;
    const most = before === undefined ? Math.min(mostInPiece, Math.ceil(limit / members.length)) : mostInPiece;
    const lists = this.#listsOf(plugin, most, places);
    const deadLetters: ListedLetter[] = [];
    while (deadLetters.length < limit) {
      const next = await oldestOf(lists);
      if (next === undefined) break;
      next.list.take();
      if (before === undefined) deadLetters.push(next.letter);
      else if (next.letter.id === before) before = undefined;
    }
    if (before !== undefined) throw notFound([before]);
    const last = deadLetters.at(-1);
    if (last !== undefined) seen.keep(this.#pageAt(last.id), new Map(lists.map((list) => [list.member, list.last])));
    const sum = (of: 'total' | 'evicted'): number => lists.reduce((all, list) => all + list[of], 0);
    return { deadLetters, total: sum('total'), evicted: sum('evicted') };
  }

  #listsOf(plugin: string, most: number, places?: LetterPlaces): readonly MemberLetters[] {
    const { members, ask } = this.#options;
    return members.map((member) => new MemberLetters({ member, plugin, ask, most, behind: places?.get(member) }));
  }

  /** Oldest first. */
  async #all(plugin: string): Promise<readonly Kept[]> {
    const lists = this.#listsOf(plugin, mostInPiece);
    const letters: Kept[] = [];
    for (let next = await oldestOf(lists); next !== undefined; next = await oldestOf(lists)) {
      letters.push({ member: next.list.member, letter: next.letter });
      next.list.take();
    }
    return letters;
  }
}

async function oldestOf(
  lists: readonly MemberLetters[],
): Promise<{ readonly list: MemberLetters; readonly letter: ListedLetter } | undefined> {
  const found = await Promise.all(
    lists.map(async (list) => {
      const letter = await list.next();
      return letter === undefined ? [] : [{ list, letter }];
    }),
  );
  return found
    .flat()
    .reduce<Awaited<ReturnType<typeof oldestOf>>>(
      (oldest, one) => (oldest !== undefined && compare(oldest.letter, one.letter) <= 0 ? oldest : one),
      undefined,
    );
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
