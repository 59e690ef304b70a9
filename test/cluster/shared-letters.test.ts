// The dead letters of a shared service as one list over the members that have its partitions.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AskLetters } from '../../daemon/operations/member-letters.ts';
import { SeenLetters } from '../../daemon/operations/seen-letters.ts';
import { SharedLetters } from '../../daemon/operations/shared-letters.ts';
import { HostError } from '../../protocol/errors.ts';
import type { OperationParams, OperationResult } from '../../protocol/operations.ts';

type Letter = OperationResult<'deadLetter.list'>['deadLetters'][number];

const plugin = 'a.plugin';

const letter = (second: number): Letter => ({
  id: `letter-${String(second)}`,
  correlationId: `event-${String(second)}`,
  ingress: 'in',
  kind: 'do',
  source: 'test',
  createdAt: '2026-01-01T00:00:00.000Z',
  deadAt: new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString(),
  attempts: [],
  replayOf: null,
  bytes: 1,
  replaying: null,
});

const notThere = (id: string): HostError => new HostError('dead_letter_not_found', 'not there', { id, ids: [id] });

/** Members with the letters of these seconds, which answer with no more than `most` at once. */
function lab(kept: Readonly<Record<string, readonly number[]>>, most = 1000) {
  const asked: { member: string; operation: string; ids?: readonly string[] | undefined }[] = [];
  const seen = new SeenLetters();
  let sent = 0;
  const has = new Map(Object.entries(kept).map(([name, seconds]) => [name, seconds.map(letter)]));
  const answers = {
    'deadLetter.list': (letters: Letter[], { after, limit }: OperationParams<'deadLetter.list'>) => {
      if (limit > most) throw new HostError('payload_too_large', 'more than one message holds');
      const from = after === undefined ? 0 : letters.findIndex(({ id }) => id === after) + 1;
      if (after !== undefined && from === 0) throw notThere(after);
      sent += letters.slice(from, from + limit).length;
      return { deadLetters: letters.slice(from, from + limit), total: letters.length, evicted: 2 };
    },
    'deadLetter.show': (letters: Letter[], { id }: OperationParams<'deadLetter.show'>) => {
      const found = letters.find((one) => one.id === id);
      if (found === undefined) throw notThere(id);
      return { deadLetter: { ...found, event: {} } };
    },
    'deadLetter.replay': (letters: Letter[], { ids }: OperationParams<'deadLetter.replay'>) => ({
      results: (ids ?? letters.map(({ id }) => id)).map((id) => ({
        id,
        accepted: true,
        eventId: `again-${id}`,
        correlationId: id,
      })),
    }),
    'deadLetter.discard': (letters: Letter[], { ids }: OperationParams<'deadLetter.discard'>) => ({
      discarded: (ids ?? letters).length,
    }),
  };
  const ask = async (member: string, operation: keyof typeof answers, params: { ids?: readonly string[] }) => {
    asked.push({ member, operation, ids: params.ids });
    await Promise.resolve();
    const answer = answers[operation] as (letters: Letter[], params: unknown) => unknown;
    return answer(has.get(member) ?? [], params);
  };
  const onSpread = (spread: string): SharedLetters =>
    new SharedLetters({ members: [...has.keys()], ask: ask as AskLetters, seen, spread });
  return { letters: onSpread('first'), onSpread, asked, has, sent: () => sent };
}

const idsOf = (deadLetters: readonly Letter[]): string[] => deadLetters.map(({ id }) => id);

test('they are listed oldest first, whichever member has them, and page by page', async () => {
  const { letters } = lab({ one: [1, 4, 5], two: [2, 3] });
  const first = await letters.list({ plugin, limit: 3 });
  assert.deepEqual(
    [idsOf(first.deadLetters), first.total, first.evicted],
    [['letter-1', 'letter-2', 'letter-3'], 5, 4],
  );
  const next = await letters.list({ plugin, limit: 3, after: 'letter-3' });
  assert.deepEqual(idsOf(next.deadLetters), ['letter-4', 'letter-5']);
  await assert.rejects(letters.list({ plugin, limit: 3, after: 'letter-9' }), { code: 'dead_letter_not_found' });
});

test('a page asks each member only for what stands on it, however many pages there were before', async () => {
  const count = 900;
  const seconds = (first: number): number[] => Array.from({ length: count / 3 }, (_, at) => first + at * 3);
  const { letters, sent } = lab({ one: seconds(0), two: seconds(1), three: seconds(2) });
  const limit = 30;
  const ids: string[] = [];
  for (let after: string | undefined; ids.length < count; after = ids.at(-1)) {
    const before = sent();
    const page = await letters.list({ plugin, limit, ...(after === undefined ? {} : { after }) });
    ids.push(...idsOf(page.deadLetters));
    assert.equal(page.total, count);
    assert.ok(sent() - before <= 2 * limit, `${String(sent() - before)} letters for a page of ${String(limit)}`);
  }
  assert.deepEqual(
    ids,
    Array.from({ length: count }, (_, second) => `letter-${String(second)}`),
  );
});

test('where a page before ended is found again, also when its letters or the members are others now', async () => {
  const { letters, onSpread, has } = lab({ one: [1, 4, 5], two: [2, 3, 6] });
  await letters.list({ plugin, limit: 4 });
  has.set('two', [2, 6].map(letter));
  const next = await letters.list({ plugin, limit: 4, after: 'letter-4' });
  assert.deepEqual([idsOf(next.deadLetters), next.total], [['letter-5', 'letter-6'], 5]);
  has.set('one', [1, 3, 4, 5].map(letter));
  const moved = await onSpread('second').list({ plugin, limit: 2, after: 'letter-2' });
  assert.deepEqual(idsOf(moved.deadLetters), ['letter-3', 'letter-4']);
  has.set('one', [1, 3, 5].map(letter));
  await assert.rejects(onSpread('second').list({ plugin, limit: 2, after: 'letter-4' }), {
    code: 'dead_letter_not_found',
  });
});

test('of long ones fewer are asked for at once', async () => {
  const many = Array.from({ length: 30 }, (_, second) => second);
  const { letters } = lab({ one: many, two: [40] }, 4);
  const { deadLetters } = await letters.list({ plugin, limit: 100 });
  assert.deepEqual(
    idsOf(deadLetters),
    [...many, 40].map((second) => `letter-${String(second)}`),
  );
  await assert.rejects(lab({ one: [1] }, 0).letters.list({ plugin, limit: 1 }), { code: 'payload_too_large' });
});

test('one is shown by the member that has it, and one that nobody has is not found', async () => {
  const { letters } = lab({ one: [1], two: [2] });
  assert.equal((await letters.show({ plugin, id: 'letter-2' })).deadLetter.id, 'letter-2');
  await assert.rejects(letters.show({ plugin, id: 'letter-3' }), { code: 'dead_letter_not_found' });
});

test('each member replays and discards its own, and what it answers stands in the order of the names', async () => {
  const { letters, asked } = lab({ one: [1, 3], two: [2] });
  const { results } = await letters.replay({ plugin, ids: ['letter-3', 'letter-2', 'letter-1'] });
  assert.deepEqual(
    results.map(({ id }) => id),
    ['letter-3', 'letter-2', 'letter-1'],
  );
  assert.deepEqual(
    asked.filter(({ operation }) => operation === 'deadLetter.replay'),
    [
      { member: 'one', operation: 'deadLetter.replay', ids: ['letter-3', 'letter-1'] },
      { member: 'two', operation: 'deadLetter.replay', ids: ['letter-2'] },
    ],
  );
  const all = await letters.replay({ plugin });
  assert.deepEqual(
    all.results.map(({ id }) => id),
    ['letter-1', 'letter-2', 'letter-3'],
  );
  assert.deepEqual(await letters.discard({ plugin, ids: ['letter-1', 'letter-1', 'letter-2'] }), { discarded: 2 });
  assert.deepEqual(await letters.discard({ plugin }), { discarded: 3 });
});

test('where one that is named is nowhere, nothing is done with the others', async () => {
  const { letters, asked } = lab({ one: [1], two: [2] });
  const ids = ['letter-1', 'letter-7'];
  await assert.rejects(letters.replay({ plugin, ids }), { code: 'dead_letter_not_found' });
  await assert.rejects(letters.discard({ plugin, ids }), { code: 'dead_letter_not_found' });
  assert.deepEqual([...new Set(asked.map(({ operation }) => operation))], ['deadLetter.list']);
});
