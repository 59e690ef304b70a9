// Which code parameters that do not fit are refused with: the same for a field of every operation that has it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as z from 'zod';
import { placeId } from '../../protocol/identifiers.ts';
import type { Operation } from '../../protocol/operation.ts';
import { operationNames, operations } from '../../protocol/operations.ts';
import { pageLimit, parseParameters } from '../../protocol/parameters.ts';
import { refusal } from '../labs/runtime-lab.ts';

const schema = z.strictObject({
  runtimeId: placeId.optional(),
  limit: pageLimit(200, 50),
  name: z.string().max(3).default(''),
});
const codeOf = async (given: unknown): Promise<string> =>
  (await refusal(() => parseParameters(schema, given, 'The call'))).code;

test('what fits comes back with its defaults', () => {
  assert.deepEqual(parseParameters(schema, { runtimeId: 'a.B_c:d-1', limit: 200 }, 'The call'), {
    runtimeId: 'a.B_c:d-1',
    limit: 200,
    name: '',
  });
});

test('an identifier of another form and a limit beyond the largest have codes of their own, and the form or the most in the details', async () => {
  for (const runtimeId of ['', 'a b', 'a/b', '../x', 'é', 'x'.repeat(129)])
    assert.equal(await codeOf({ runtimeId }), 'invalid_identifier', runtimeId);
  const { code, message, details } = await refusal(() => parseParameters(schema, { limit: 201 }, 'The call'));
  assert.deepEqual(
    [code, details['maximum'], message],
    ['limit_too_large', 200, 'The call is not valid: limit must be at most 200, but it is 201.'],
  );
  assert.equal(await codeOf({ limit: 201, runtimeId: 'a b' }), 'invalid_identifier', 'who is meant comes first');
});

test('whatever else is wrong is an invalid request', async () => {
  for (const given of [
    { limit: 0 },
    { limit: 'many' },
    { limit: 1.5 },
    { limit: null },
    { runtimeId: 7 },
    { runtimeId: null },
    { name: 'long' },
    { unknown: 1 },
    null,
    [],
    'text',
  ]) {
    assert.equal(await codeOf(given), 'invalid_request', JSON.stringify(given));
  }
});

test('an unknown key is told the nearest known one, all of them, or that there are none', async () => {
  for (const [name, given, message] of [
    ['worker.list', { limitt: 1 }, /limitt: unknown key; did you mean "limit"\?\.$/],
    ['plugin.show', { plugin: 'p', xyzzy: 1 }, /xyzzy: unknown key; known keys are plugin\.$/],
    ['daemon.ping', { xyzzy: 1 }, /xyzzy: unknown key; no key is expected here\.$/],
  ] as const) {
    assert.match((await refusal(() => parseParameters(operations[name].params, given, 'The call'))).message, message);
  }
});

test('every operation with a page limit or a place refuses them by these codes, and says so in its row', async () => {
  for (const name of operationNames) {
    const row: Operation = operations[name];
    for (const [field, wrong, code] of [
      ['limit', 1_000_000, 'limit_too_large'],
      ['runtimeId', 'a b', 'invalid_identifier'],
      ['workerId', 'a b', 'invalid_identifier'],
    ] as const) {
      if (!(field in row.params.shape)) continue;
      assert.equal(
        (await refusal(() => parseParameters(row.params, { [field]: wrong }, name))).code,
        code,
        `${name}: ${field}`,
      );
      assert.ok(row.errors.includes(code), `${name} names ${code}`);
    }
  }
});
