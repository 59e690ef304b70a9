// The same configuration in YAML: it comes down to plain JSON data, and what has no form there is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { issuesOfLoading, load } from '../labs/config-lab.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';

test('a YAML file says what a JSON file says', async (t) => {
  const home = await temporaryFolder(t);
  await writeTree(home, {
    'nagaya.yaml':
      '# bounds\nlimits:\n  plugins: 12\nplugins:\n  folders: [a, b]\n  overrides:\n    example.greeter: &shared\n      config: { greeting: "on" }\n    example.other: *shared\n',
  });
  const { config } = await load(home);
  assert.equal(config.limits.plugins, 12);
  assert.deepEqual(config.plugins.overrides, {
    'example.greeter': { config: { greeting: 'on' } },
    'example.other': { config: { greeting: 'on' } },
  });
});

test('a file that is empty or holds only comments leaves every default', async (t) => {
  const home = await temporaryFolder(t);
  await writeTree(home, { 'nagaya.yml': '# limits:\n#   plugins: 3\n' });
  assert.equal((await load(home)).config.limits.plugins, 256);
});

const bomb = [
  'a: &a [x, x, x, x, x, x, x, x, x]',
  ...'bcdefghi'.split('').map((name, at) => `${name}: &${name} [${`*${'abcdefghi'.charAt(at)}, `.repeat(9)}x]`),
].join('\n');

const faults: readonly [what: string, text: string, message: RegExp][] = [
  ['a syntax error', 'limits:\n  plugins: [1, 2\nlog: {}', /^3:1: /],
  ['a key that stands twice', 'log: {}\nlog: {}', /^2:1: Map keys must be unique/],
  ['a tab for indentation', 'limits:\n\tplugins: 1', /^2:1: Tabs are not allowed/],
  ['a second document', 'log: {}\n---\nlog: {}', /^2:1: a second document begins here/],
  ['a tag nobody knows', 'socket: !shell rm', /^1:9: Unresolved tag/],
  ['an alias bomb', bomb, /aliases unfold/],
  ['an alias that holds itself', 'plugins: &p { overrides: { a: { config: { p: *p } } } }', /aliases unfold/],
  ['endless nesting in brackets', '['.repeat(200_000), /nests deeper than 128 levels/],
  ['endless nesting in braces', '{a: '.repeat(50_000), /nests deeper than 128 levels/],
  ['endless nesting in dashes', '- '.repeat(100_000), /nests deeper than 128 levels/],
  [
    'endless nesting by indentation',
    Array.from({ length: 600 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n'),
    /nests deeper than 128 levels/,
  ],
];

for (const [what, text, message] of faults) {
  test(`${what} is refused within a moment`, { timeout: 20_000 }, async (t) => {
    const home = await temporaryFolder(t);
    await writeTree(home, { 'nagaya.yaml': text });
    const issues = await issuesOfLoading(home);
    assert.equal(issues.length, 1);
    assert.match(issues[0]?.message ?? '', message);
    assert((issues[0]?.message.length ?? 0) < 300);
  });
}
