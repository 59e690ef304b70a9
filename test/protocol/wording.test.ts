// Whatever does not fit is told in one kind of words: of the daemon's own fields, whose schemas are zod's, and of what
// the JSON Schemas of plugins describe.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as z from 'zod';
import { issueText } from '../../protocol/errors.ts';
import { ingressEventInput } from '../../protocol/event.ts';
import { issuesOf } from '../../protocol/issues.ts';
import { wordingOf } from '../../protocol/wording.ts';
import { compileSchema } from '../../workers/json-schema.ts';

const told = (schema: z.ZodType, value: unknown): string[] => {
  const { error } = schema.safeParse(value, { error: wordingOf });
  return error === undefined ? [] : issuesOf(error, schema).map(issueText);
};

const forms = z.union([z.strictObject({ ref: z.string() }), z.strictObject({ id: z.number() })]);
const shapes = z.discriminatedUnion('shape', [
  z.strictObject({ shape: z.literal('round') }),
  z.strictObject({ shape: z.literal('square') }),
]);

const ofZod: readonly [code: z.core.$ZodIssue['code'], schema: z.ZodType, value: unknown, words: string][] = [
  ['invalid_type', z.object({ ref: z.string() }), {}, 'ref is missing; it must be a text'],
  ['invalid_type', z.object({ kind: z.string() }), { kind: 7 }, 'kind must be a text, but it is a number'],
  ['invalid_type', z.object({ size: z.int() }), { size: 1.5 }, 'size must be a whole number, but it is 1.5'],
  ['invalid_type', z.object({}), [], 'it must be an object, but it is a list'],
  ['invalid_type', z.array(z.boolean()), [null], '[0] must be true or false, but it is null'],
  ['too_small', z.object({ age: z.number().min(0) }), { age: -1 }, 'age must be at least 0, but it is -1'],
  ['too_small', z.number().gt(0), 0, 'it must be more than 0, but it is 0'],
  ['too_small', z.string().min(1), '', 'it must have at least 1 character, but it has 0'],
  ['too_small', z.array(z.number()).min(2), [1], 'it must have at least 2 entries, but it has 1'],
  ['too_small', z.string().length(3), 'ab', 'it must have exactly 3 characters, but it has 2'],
  ['too_big', z.number().max(9), 10, 'it must be at most 9, but it is 10'],
  ['too_big', z.number().lt(9), 9, 'it must be less than 9, but it is 9'],
  ['too_big', z.string().max(2), 'abc', 'it must have at most 2 characters, but it has 3'],
  ['invalid_format', z.string().regex(/^a+$/), 'b', 'it must match the pattern /^a+$/'],
  ['invalid_format', z.iso.datetime(), 'today', 'it must be a date and time such as 2026-01-31T12:00:00Z'],
  ['invalid_format', z.url(), 'x', 'it must be a URL'],
  ['invalid_format', z.string().startsWith('a'), 'b', 'it must begin with "a"'],
  ['invalid_format', z.base64(), '!', 'it must be in the form "base64"'],
  ['not_multiple_of', z.number().multipleOf(5), 7, 'it must be a multiple of 5, but it is 7'],
  [
    'unrecognized_keys',
    z.strictObject({ limit: z.number() }),
    { limit: 1, limitt: 2 },
    'limitt: unknown key; did you mean "limit"?',
  ],
  ['invalid_union', z.union([z.string(), z.null()]), 4, 'it must be a text or null, but it is a number'],
  [
    'invalid_union',
    forms,
    { ref: 5 },
    'it has none of the forms it may have: ref must be a text, but it is a number; or id is missing; it must be a number',
  ],
  ['invalid_union', shapes, { shape: 'flat' }, 'shape must be "round" or "square", but it is another text'],
  ['invalid_union', shapes, {}, 'shape is missing; it must be "round" or "square"'],
  ['invalid_value', z.enum(['thread', 'process']), 'vm', 'it must be "thread" or "process", but it is another text'],
  ['invalid_value', z.object({ version: z.literal(1) }), { version: 2 }, 'version must be 1, but it is 2'],
  [
    'invalid_key',
    z.record(z.string().regex(/^a/), z.number()),
    { b: 1 },
    'b is not a valid name: it must match the pattern /^a/',
  ],
  [
    'invalid_element',
    z.map(z.unknown(), z.number()),
    new Map([[{}, 'a']]),
    'it has an entry that does not fit: it must be a number, but it is a text',
  ],
  ['custom', z.number().refine((value) => value > 3), 1, 'it does not fit'],
];

for (const [code, schema, value, words] of ofZod) {
  test(`zod's ${code} becomes: ${words}`, () => {
    assert.deepEqual(told(schema, value).slice(0, 1), [words]);
  });
}

test('an event that does not fit is told in these words', () => {
  assert.deepEqual(told(ingressEventInput, { kind: 7 }), [
    'ingress is missing; it must be a text',
    'kind must be a text, but it is a number',
  ]);
});

const object = (properties: object): object => ({ type: 'object', properties });

const ofJsonSchema: readonly [keyword: string, schema: object | boolean, value: unknown, words: readonly string[]][] = [
  ['required', object({ order: { required: ['ref'] } }), { order: {} }, ['order.ref is missing']],
  [
    'dependentRequired',
    { dependentRequired: { card: ['name'] } },
    { card: 1 },
    ['name is missing; it must be there where "card" is'],
  ],
  ['type', object({ age: { type: 'number' } }), { age: 'old' }, ['age must be a number, but it is a text']],
  ['type', { type: 'integer' }, 1.5, ['it must be a whole number, but it is 1.5']],
  ['type', { type: ['string', 'null'] }, 5, ['it must be a text or null, but it is a number']],
  ['minimum', object({ age: { minimum: 0 } }), { age: -1 }, ['age must be at least 0, but it is -1']],
  ['maximum', { maximum: 5 }, 6, ['it must be at most 5, but it is 6']],
  ['exclusiveMinimum', { exclusiveMinimum: 0 }, 0, ['it must be more than 0, but it is 0']],
  ['exclusiveMaximum', { exclusiveMaximum: 5 }, 5, ['it must be less than 5, but it is 5']],
  ['multipleOf', { multipleOf: 5 }, 7, ['it must be a multiple of 5, but it is 7']],
  ['enum', { enum: ['a', 'b'] }, 'c', ['it must be "a" or "b", but it is another text']],
  ['const', { const: 1 }, 2, ['it must be 1, but it is 2']],
  ['minLength', { minLength: 3 }, 'a😀', ['it must have at least 3 characters, but it has 2']],
  ['maxLength', { maxLength: 1 }, 'ab', ['it must have at most 1 character, but it has 2']],
  ['pattern', { pattern: '^a+$' }, 'b', ['it must match the pattern ^a+$']],
  ['minItems', { minItems: 2 }, [1], ['it must have at least 2 entries, but it has 1']],
  ['maxItems', { maxItems: 1 }, [1, 2], ['it must have at most 1 entry, but it has 2']],
  ['items', { prefixItems: [{}], items: false }, [1, 2], ['it must have at most 1 entry, but it has 2']],
  [
    'items',
    { items: object({ name: { type: 'string' } }) },
    [{ name: 1 }],
    ['[0].name must be a text, but it is a number'],
  ],
  [
    'unevaluatedItems',
    { prefixItems: [{}], unevaluatedItems: false },
    [1, 2],
    ['it must have at most 1 entry, but it has 2'],
  ],
  [
    'uniqueItems',
    { uniqueItems: true },
    [7, 8, 7],
    ['it must not have the same entry twice, but entries 0 and 2 are the same'],
  ],
  [
    'contains',
    { contains: { type: 'string' } },
    [1, 2],
    ['it must have at least 1 entry of the form that `contains` asks for'],
  ],
  [
    'maxContains',
    { contains: { type: 'string' }, maxContains: 2, minContains: 1 },
    ['a', 'b', 'c'],
    ['it must have at least 1 and at most 2 entries of the form that `contains` asks for'],
  ],
  ['minProperties', { minProperties: 1 }, {}, ['it must have at least 1 key, but it has 0']],
  ['maxProperties', { maxProperties: 1 }, { a: 1, b: 2 }, ['it must have at most 1 key, but it has 2']],
  [
    'additionalProperties',
    { properties: { a: {} }, additionalProperties: false },
    { b: 1 },
    ['b is not a key that is known here'],
  ],
  [
    'unevaluatedProperties',
    { properties: { a: {} }, unevaluatedProperties: false },
    { b: 1 },
    ['b is not a key that is known here'],
  ],
  [
    'propertyNames',
    { propertyNames: { maxLength: 1 } },
    { ab: 1 },
    ['ab is not a valid name: it must have at most 1 character, but it has 2'],
  ],
  ['anyOf', { anyOf: [{ type: 'string' }, { type: 'null' }] }, 3, ['it must be a text or null, but it is a number']],
  [
    'anyOf',
    object({ item: { anyOf: [{ required: ['ref'] }, object({ id: { type: 'number' } })] } }),
    { item: { id: 'a' } },
    ['item has none of the forms it may have: ref is missing; or id must be a number, but it is a text'],
  ],
  [
    'oneOf',
    { oneOf: [{ minimum: 5 }, { maximum: -5 }] },
    0,
    ['it has none of the forms it may have: it must be at least 5, but it is 0; or it must be at most -5, but it is 0'],
  ],
  [
    'oneOf',
    { oneOf: [{ type: 'number' }, { minimum: 0 }] },
    5,
    ['it fits more than one of the forms of which it must have exactly one'],
  ],
  [
    'allOf',
    { allOf: [{ minimum: 5 }, { multipleOf: 2 }] },
    3,
    ['it must be at least 5, but it is 3', 'it must be a multiple of 2, but it is 3'],
  ],
  ['if', { if: { minimum: 0 }, then: { multipleOf: 2 } }, 3, ['it must be a multiple of 2, but it is 3']],
  ['not', { not: { type: 'string' } }, 'a', ['it has the form that `not` excludes']],
  ['false', false, 1, ['it is not allowed here']],
  [
    '$ref',
    { $defs: { ref: { type: 'string' } }, properties: { a: { $ref: '#/$defs/ref' } } },
    { a: 1 },
    ['a must be a text, but it is a number'],
  ],
];

for (const [keyword, schema, value, words] of ofJsonSchema) {
  test(`what breaks "${keyword}" of a JSON Schema is told: ${words.join(', and ')}`, async () => {
    const check = await compileSchema(JSON.stringify(schema));
    assert.deepEqual(check(value).map(issueText), words);
  });
}

test('no text that was sent is in what is told of it', async () => {
  const check = await compileSchema(JSON.stringify({ enum: ['a', 'b'], const: 'a', pattern: '^a$', maxLength: 1 }));
  const issues = check('a-secret-word');
  assert.equal(issues.length, 4);
  assert.doesNotMatch(
    JSON.stringify([issues, told(z.enum(['a']), 'a-secret-word'), told(z.string().regex(/^b/), 'a-secret-word')]),
    /secret/,
  );
});
