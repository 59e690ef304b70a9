// Secrets of a plugin's environment must not stand in anything that is recorded, in no form a program prints them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { Redactor, redactedMark } from '../../daemon/telemetry/redactor.ts';
import { SecretScanner } from '../../daemon/telemetry/secret-scanner.ts';

const pem = ['-----BEGIN KEY-----', 'MIIEowIBAAKCAQEAx1+/y2', 'Zm9vYmFyYmF6cXV4cXV1eA==', '-----END KEY-----'].join(
  '\n',
);

test('every occurrence goes, and text without a secret stays as it is', () => {
  const redactor = new Redactor(['tok3n-value']);
  assert.equal(redactor.text('a tok3n-value and tok3n-valuetok3n-value.'), 'a [redacted] and [redacted].');
  assert.equal(redactor.text('nothing to see'), 'nothing to see');
  assert.equal(new Redactor([]).text('tok3n-value'), 'tok3n-value');
});

test('values shorter than four characters and blank values are no secrets', () => {
  const redactor = new Redactor(['', 'on', '123', '      ']);
  assert.equal(redactor.text('on 123       off'), 'on 123       off');
  assert.equal(redactor.json('{"on":123}'), '{"on":123}');
});

test('what a pattern language would read in a secret is plain text', () => {
  const redactor = new Redactor(['a.c*(x)', '$&$1', '\\d+\\w']);
  assert.equal(redactor.text('a.c*(x) abc(x) $&$1 \\d+\\w 12w'), '[redacted] abc(x) [redacted] [redacted] 12w');
});

test('secrets that overlap or contain each other leave no end of either', () => {
  assert.equal(new Redactor(['abcdef', 'defghi']).text('<abcdefghi>'), '<[redacted]>');
  assert.equal(
    new Redactor(['abcd', 'xxabcdyy']).text('<xxabcdyy> <abcd> <xxabcd!>'),
    '<[redacted]> <[redacted]> <xx[redacted]!>',
  );
  assert.equal(new Redactor(['abab']).text('<ababab>'), '<[redacted]>');
});

test('a secret of several lines goes as a whole and by each of its longer lines', () => {
  const redactor = new Redactor([pem]);
  assert.equal(redactor.text(`key: ${pem}!`), 'key: [redacted]!');
  assert.equal(redactor.text('line 2 is MIIEowIBAAKCAQEAx1+/y2.'), 'line 2 is [redacted].');
  assert.equal(redactor.text(pem.replaceAll('\n', '\r\n')), Array.from({ length: 4 }, () => redactedMark).join('\r\n'));
});

test('blanks and line ends around a secret do not hide it', () => {
  assert.equal(new Redactor([' s3cret\n']).text('it is s3cret.'), 'it is [redacted].');
});

test('a secret is found as programs print it: as JSON, as the console shows objects, inside an address', () => {
  const secret = 'p"a\\ss\'wörd\n&more=1 x';
  const redactor = new Redactor([secret]);
  const shapes = [
    JSON.stringify({ token: secret }),
    JSON.stringify({ body: JSON.stringify({ token: secret }) }),
    inspect({ token: secret }, { breakLength: Infinity }),
    `https://host/?token=${encodeURIComponent(secret)}&x=1`,
    `Error: ${secret} is wrong\n    at file.js:1`,
  ];
  for (const shape of shapes) {
    const clean = redactor.text(shape);
    assert.ok(clean.includes(redactedMark), shape);
    assert.ok(!/p.{0,4}a.{0,6}ss/.test(clean) && !clean.includes('more'), clean);
  }
});

test('what programs take out of a value goes too: texts of a JSON document, the password of an address', () => {
  const redactor = new Redactor([
    '{"type":"account","key":{"private":"s3cret-key\\nline","id":7}}',
    'postgres://user:hunter%402@host/db',
    '{not JSON',
    'http://%zz:50%@host',
  ]);
  assert.equal(
    redactor.text("{ private: 's3cret-key\\nline', id: 7, type: 'account' }"),
    "{ private: '[redacted]', id: 7, type: 'account' }",
  );
  assert.equal(redactor.text('only s3cret-key of it'), 'only [redacted] of it');
  assert.deepEqual(
    JSON.parse(redactor.json(JSON.stringify({ password: 'hunter@2', host: 'host', private: 's3cret-key\nline' }))),
    { password: redactedMark, host: 'host', private: redactedMark },
  );
});

test('the beginning of a secret goes where the text was cut off inside it', () => {
  const redactor = new Redactor(['correct-horse-battery-staple']);
  assert.equal(redactor.text('with corr', true), 'with [redacted]');
  assert.equal(redactor.text('with cor', true), 'with cor');
  assert.equal(
    redactor.text('with correct-h… (cut from 900 characters)'),
    'with [redacted]… (cut from 900 characters)',
  );
  assert.equal(redactor.text('with correct-horse-batt'), 'with [redacted]');
  assert.equal(
    redactor.text('the answer is correct'),
    'the answer is correct',
    'a whole text may end in a word of a secret',
  );
});

test('JSON stays JSON, and structure that looks like a secret stays', () => {
  const redactor = new Redactor(['true', '12345678', 'null', '":{"', 'k3y-name']);
  const clean = redactor.json('{"a":true,"b":{"pin":12345678,"c":null},"k3y-name":[1,"true story"]}');
  assert.deepEqual(JSON.parse(clean), {
    a: redactedMark,
    b: { pin: redactedMark, c: redactedMark },
    [redactedMark]: [1, '[redacted] story'],
  });
});

test('a secret in JSON is found however its string is escaped', () => {
  const redactor = new Redactor(['s3cret/value']);
  const escaped = [...'s3cret/value']
    .map((character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
  assert.deepEqual(JSON.parse(redactor.json(`{"a":"x${escaped}y","b":"s3cret\\/value"}`)), {
    a: 'x[redacted]y',
    b: redactedMark,
  });
});

test('what is no JSON, or JSON that breaks off, is cleaned all the same', () => {
  const redactor = new Redactor(['s3cret-value']);
  assert.equal(redactor.json('{"a":"s3cret-value","b":"s3cr'), '{"a":"[redacted]","b":"[redacted]');
  assert.ok(!redactor.json('s3cret-value "\\q s3cret-value" }{').includes('s3cret'));
  assert.equal(redactor.json('{"plain":"\\n"}'), '{"plain":"\\n"}');
});

test('time depends on the text alone, also for secrets and texts made to be slow', () => {
  const redactor = new Redactor([
    'a'.repeat(30_000),
    `${'a'.repeat(200)}b`,
    `b${'a'.repeat(200)}`,
    ...Array.from({ length: 256 }, (_, index) => `${'ab'.repeat(60)}${String(index)}`),
  ]);
  const texts = ['a'.repeat(2_000_000), 'ab'.repeat(1_000_000), '"'.repeat(2_000_000), '"\\'.repeat(1_000_000)];
  const began = performance.now();
  for (const text of texts) redactor.text(text);
  for (const text of texts) redactor.json(text);
  // A quadratic search would take minutes; this takes a fraction of a second on an idle machine.
  assert.ok(performance.now() - began < 20_000);
});

/** Every secret at every place, the plainest way. */
function spansByHand(text: string, secrets: readonly string[]): string {
  const covered = new Array<boolean>(text.length).fill(false);
  for (const secret of secrets) {
    for (let at = text.indexOf(secret); at !== -1; at = text.indexOf(secret, at + 1))
      covered.fill(true, at, at + secret.length);
    for (let length = 12; length < secret.length; length += 1)
      if (text.endsWith(secret.slice(0, length))) covered.fill(true, text.length - length);
    for (let length = 4; length < secret.length; length += 1) {
      const cut = `${secret.slice(0, length)}…`;
      for (let at = text.indexOf(cut); at !== -1; at = text.indexOf(cut, at + 1)) covered.fill(true, at, at + length);
    }
  }
  return covered.map((isCovered) => (isCovered ? 'x' : '.')).join('');
}

test('for any secrets and text exactly what they cover is found', () => {
  const units = fc.constantFrom('a', 'a', 'b', 'c', '…');
  const secret = fc.string({ unit: units, minLength: 4, maxLength: 20 });
  fc.assert(
    fc.property(
      fc.array(secret, { minLength: 1, maxLength: 6 }),
      fc.array(fc.oneof(secret, fc.string({ unit: units, maxLength: 6 })), { maxLength: 12 }),
      (secrets, parts) => {
        const withCuts = [...parts, ...secrets.map((one, index) => one.slice(0, 4 + (index % 16)))];
        const text = withCuts.join('');
        const found = new Array<boolean>(text.length).fill(false);
        let last = -1;
        for (const { start, end } of new SecretScanner(secrets).scan(text)) {
          assert.ok(start > last && end > start && end <= text.length, 'in order and apart');
          found.fill(true, start, end);
          last = end;
        }
        assert.equal(found.map((isFound) => (isFound ? 'x' : '.')).join(''), spansByHand(text, secrets));
      },
    ),
    { numRuns: 2000 },
  );
});

/** A secret that is part of the mark itself cannot vanish by being replaced with it. */
const secretValue = fc
  .string({
    unit: fc.constantFrom('a', 'B', '7', '"', '\\', "'", '\n', '\r', ' ', '%', 'é', '😀', '\u001b', '{', ':'),
    minLength: 4,
    maxLength: 40,
  })
  .filter((value) => value.trim().length >= 4);

test('no secret survives in text, whatever the secrets and whatever stands around them', () => {
  fc.assert(
    fc.property(
      fc.array(secretValue, { minLength: 1, maxLength: 5 }),
      fc.array(fc.oneof(fc.nat(4), fc.string({ maxLength: 10 })), { maxLength: 10 }),
      (secrets, parts) => {
        const text = parts.map((part) => (typeof part === 'number' ? (secrets[part] ?? '') : part)).join('');
        const clean = new Redactor(secrets).text(text);
        for (const secret of secrets) assert.ok(!clean.includes(secret), clean);
        assert.equal(new Redactor(secrets).text(clean), clean, 'cleaning twice changes nothing more');
      },
    ),
    { numRuns: 1000 },
  );
});

function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [String(value)];
  return Object.entries(value).flatMap(([key, inner]) => [...(Array.isArray(value) ? [] : [key]), ...textsOf(inner)]);
}

test('any JSON stays JSON of the same shape, and no secret survives in its keys and values', () => {
  fc.assert(
    fc.property(
      fc.array(secretValue, { minLength: 1, maxLength: 4 }).chain((secrets) => {
        const text = fc.oneof(
          fc.constantFrom(...secrets),
          fc.constantFrom(...secrets).map((secret) => `<${secret}>`),
          fc.string({ maxLength: 6 }),
        );
        const { tree } = fc.letrec((tie) => ({
          tree: fc.oneof(
            { depthSize: 'small' },
            text,
            fc.integer(),
            fc.boolean(),
            fc.constant(null),
            fc.array(tie('tree'), { maxLength: 4 }),
            fc.dictionary(text, tie('tree'), { maxKeys: 4 }),
          ),
        }));
        return fc.tuple(fc.constant(secrets), tree, fc.constantFrom(undefined, 2));
      }),
      ([secrets, value, indent]) => {
        const clean: unknown = JSON.parse(new Redactor(secrets).json(JSON.stringify(value, null, indent)));
        for (const text of textsOf(clean)) for (const secret of secrets) assert.ok(!text.includes(secret), text);
        assert.equal(Array.isArray(clean), Array.isArray(value));
      },
    ),
    { numRuns: 1000 },
  );
});
