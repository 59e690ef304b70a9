// JSON that a person wrote: where it is wrong, the place and the remedy are named, the same on every version of Node.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { findJsonFault, parseJsonText } from '../../daemon/files/json-text.ts';

const faults: readonly [text: string, message: string][] = [
  ['', '1:1: the file is empty; a JSON object is missing'],
  ['{\n  "a": 1,\n}', '3:1: remove the comma before this }'],
  ['[1, 2, ]', '1:8: remove the comma before this ]'],
  ['{"a" 1}', '1:6: a colon is missing between the key and its value'],
  ['{"a": 1 "b": 2}', '1:9: a comma or } is missing before this'],
  ['[1 2]', '1:4: a comma or ] is missing before this'],
  ['{a: 1}', '1:2: a key in double quotes is missing here'],
  ["{'a': 1}", '1:2: a key in double quotes is missing here'],
  ['{"a": \'b\'}', '1:7: strings stand in double quotes in JSON'],
  ['{"a": b}', '1:7: b is not a value of JSON; strings stand in double quotes'],
  ['{"a": }', '1:7: a value is missing here'],
  ['{"a": 01}', '1:7: 01 is not a number of JSON'],
  ['{"a": .5}', '1:7: .5 is not a number of JSON'],
  ['// why\n{}', '1:1: JSON has no comments; remove it'],
  ['{"a": 1} # why', '1:10: nothing may follow the end of the JSON; remove it'],
  ['{"a": 1}\r\n}', '2:1: nothing may follow the end of the JSON; remove it'],
  ['{"a": "b', '1:7: the string that begins here has no closing quote'],
  ['{"a": "b\n"}', '1:7: the string that begins here has no closing quote on its line'],
  ['{"a": "b\tc"}', '1:9: a control character in a string must be written as \\u0009'],
  ['{"a": "C:\\new\\x"}', '1:14: \\x is not an escape of JSON; write a backslash as \\\\'],
  ['{"a": [1', '1:9: the file ends here, and a closing ] is missing'],
  ['{"a":', '1:6: the file ends in the middle of the JSON'],
];

for (const [text, message] of faults) {
  test(`${JSON.stringify(text)} is refused with its place`, () => {
    assert.deepEqual(parseJsonText(text), { ok: false, issue: { path: '', message } });
  });
}

test('a fault is found exactly where the engine finds one, for whatever text', () => {
  const fragment = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\',
    '"a"',
    '"\\u00e9"',
    '1',
    '-',
    '0',
    '.5',
    'e3',
    'true',
    'nul',
    'null',
    ' ',
    '\n',
    '\u0001',
    '/',
  );
  const text = fc.oneof(
    fc.array(fragment, { maxLength: 12 }).map((parts) => parts.join('')),
    fc.json().chain((json) => fc.nat(json.length).map((at) => json.slice(0, at) + json.slice(at + 1))),
    fc.json(),
  );
  fc.assert(
    fc.property(text, (json) => {
      let valid = true;
      try {
        JSON.parse(json);
      } catch {
        // The engine's verdict is what is compared; its words are not.
        valid = false;
      }
      assert.equal(findJsonFault(json) === undefined, valid, json);
    }),
    { numRuns: 3000 },
  );
});
