// The check of the language finds retired words and lines that are too wide, and leaves alone what cannot be wrapped.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { languageFaults } from '../../scripts/check/language.ts';

const wide = 'many words '.repeat(12).trim();
const faultsOf = (file: string, ...lines: string[]): string[] =>
  languageFaults(file, lines.join('\n')).map((fault) => fault.replace(/^\S+:/, ''));

test('a retired word is found with its place and what to write instead', () => {
  const word = 'an\u0065w';
  assert.deepEqual(languageFaults('docs/a.md', `one\nIt is read ${word}.`), [
    `docs/a.md:2 says "${word}"; write again`,
  ]);
});

test('comments and prose are held to the width', () => {
  assert.deepEqual(faultsOf('daemon/a.ts', `// ${wide}`), ['1 is 134 columns wide; wrap it at 120']);
  assert.deepEqual(faultsOf('daemon/a.ts', `   * ${wide}`), ['1 is 136 columns wide; wrap it at 120']);
  assert.deepEqual(faultsOf('docs/a.md', wide), ['1 is 131 columns wide; wrap it at 120']);
});

test('code, tables, headings, generated parts and words that cannot be broken are left alone', () => {
  assert.deepEqual(faultsOf('daemon/a.ts', `const text = '${wide}';`), []);
  assert.deepEqual(
    faultsOf(
      'docs/a.md',
      `| ${wide} |`,
      `# ${wide}`,
      '```',
      wide,
      '```',
      '<!-- begin:x -->',
      wide,
      '<!-- end:x -->',
      'x'.repeat(200),
    ),
    [],
  );
});
