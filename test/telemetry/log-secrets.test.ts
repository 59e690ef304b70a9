// Values of a plugin's environment never reach its log: not the files, not memory, not who follows it.
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import type { LogMessage } from '../../protocol/cell/messages.ts';
import { message, openPluginLog } from '../labs/log-lab.ts';

const secrets = [
  'tok3n-0123456789abcdef',
  'p"a\\ss\nword\twith everything',
  ['-----BEGIN-----', 'bGluZSBvbmUgb2YgdGhl', 'a2V5IGluIGJhc2U2NA=='].join('\n'),
  'postgres://user:hunter2@host/db',
  '1234567890',
];

/** Unmistakable parts: not even one of these may be seen anywhere. */
const telling = [
  '0123456789abcdef',
  'ss\nword',
  'ss\\nword',
  'with everything',
  'bGluZSBvbmUg',
  'a2V5IGlu',
  'hunter2',
  '1234567890',
];

/** How a program may print a value. */
const shapes: readonly ((secret: string) => Partial<LogMessage> & { readonly text: string })[] = [
  (secret) => ({ text: secret }),
  (secret) => ({ text: `${secret}${secret}` }),
  (secret) => ({ text: `<${secret}>`.repeat(50) }),
  (secret) => ({ text: JSON.stringify({ token: secret }) }),
  (secret) => ({ text: JSON.stringify({ body: JSON.stringify([secret]) }) }),
  (secret) => ({ text: inspect({ headers: { authorization: `Bearer ${secret}` } }) }),
  (secret) => ({ text: inspect(new Error(secret)) }),
  (secret) => ({ text: `GET https://x/?token=${encodeURIComponent(secret)}` }),
  (secret) => ({
    text: `${'x'.repeat(16 * 1024 - 12)}${secret}`.slice(0, 16 * 1024) + '… (cut from 99999 characters)',
  }),
  (secret) => ({ text: 'x'.repeat(17 * 1024 - 12) + secret }),
  (secret) => ({ text: 'fields', fields: JSON.stringify({ token: secret, [secret]: 1, list: [[secret]] }) }),
  (secret) => ({ text: 'fields', fields: JSON.stringify({ token: secret }, null, 2) }),
  (secret) => ({
    text: 'escaped',
    fields: `{"a":"${[...secret].map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"}`,
  }),
  (secret) => ({ text: 'number', fields: `{"pin":${/^\d+$/.test(secret) ? secret : JSON.stringify(secret)}}` }),
  (secret) => ({ text: 'broken', fields: `{"a":${JSON.stringify(secret)}` }),
  (secret) => ({ text: 'broken off', fields: `{"a":${JSON.stringify(`x${secret}`).slice(0, -8)}` }),
  (secret) => ({ text: 'huge', fields: JSON.stringify({ a: 'x'.repeat(20_000), b: secret }) }),
  (secret) => ({ text: 'deep', fields: '['.repeat(50) + JSON.stringify(secret) + ']'.repeat(50) }),
  (secret) => ({ text: 'id', correlationId: secret }),
  (secret) => ({ text: 'id', correlationId: 'x'.repeat(120) + secret }),
];

for (const secret of secrets) {
  test(`in no shape does ${JSON.stringify(secret.slice(0, 6))}… reach a file, memory or a listener`, async (context) => {
    const { log, folder, told } = await openPluginLog(context, { secrets });
    for (const shape of shapes) {
      const { text, ...more } = shape(secret);
      log.fromCell(message(text, more), 1);
      log.host('error', text, { cause: { stack: secret }, [secret]: text, correlationId: secret });
    }
    for (const line of secret.split('\n')) log.fromCell(message(line, { stream: 'stdout' }), 1);
    const { lines } = log.recent(1000);
    await log.close();
    const files = (await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8')))).join(
      '',
    );
    const plain = files
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => inspect(JSON.parse(line), { depth: 60, maxStringLength: null, breakLength: Infinity }));
    assert.equal(plain.length, log.counts.lines);
    assert.equal(log.counts.droppedLines, 0);
    for (const where of [files, ...plain, JSON.stringify(lines), JSON.stringify(told)]) {
      for (const part of [...telling, ...secrets]) {
        const at = where.indexOf(part);
        assert.equal(at, -1, `${JSON.stringify(part)} stands in ${where.slice(Math.max(0, at - 200), at + 200)}`);
      }
    }
    assert.ok(files.includes('[redacted]'));
  });
}

test('for any secret and surroundings, no line has it', async (context) => {
  const value = fc
    .string({ unit: 'grapheme', minLength: 6, maxLength: 30 })
    .filter((text) => text.trim().length >= 6 && !/[[\]]/.test(text));
  await fc.assert(
    fc.asyncProperty(
      fc.array(value, { minLength: 1, maxLength: 4 }),
      fc.string({ maxLength: 20 }),
      fc.string({ maxLength: 20 }),
      async (values, before, after) => {
        const { log, path } = await openPluginLog(context, { secrets: values });
        for (const secret of values)
          log.fromCell(
            message(before + secret + after, { fields: JSON.stringify({ [before + secret]: secret + after }) }),
            1,
          );
        await log.close();
        const lines = (await readFile(path, 'utf8'))
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as { msg: string; data: Record<string, string> });
        assert.equal(lines.length, values.length);
        for (const { msg, data } of [...lines, ...(log.recent(10).lines as unknown as typeof lines)]) {
          for (const text of [msg, ...Object.entries(data).flat()])
            for (const secret of values) assert.ok(!text.includes(secret), text);
        }
      },
    ),
    { numRuns: 60 },
  );
});
