// The command lines that the documentation shows are found where they stand and held against the commands there are.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { commandFault, snippetsIn } from '../../scripts/check/command-snippets.ts';

function program(): Command {
  const root = new Command('nagaya').option('--socket <path>').option('--json');
  root.command('load <folder>').option('--start');
  root.command('call <plugin> <tool> [input]').option('--timeout <ms>');
  root.command('config').command('check [file]');
  return root;
}

test('command lines are found in shell blocks and in spans, and nowhere else', () => {
  const page = [
    'Run `nagaya load DIR`, then nagaya in prose, then `the nagaya daemon`.',
    '```sh',
    '$ nagaya load ./one && nagaya call a b # nagaya ignored',
    'NAGAYA_SOCKET=/s nagaya --json config check | jq .',
    'npm run nagaya',
    '```',
    '```ts',
    'nagaya call not-a-shell',
    '```',
  ].join('\n');
  assert.deepEqual(
    snippetsIn('page.md', page).map(({ where, words }) => [where, words.join(' ')]),
    [
      ['page.md:1', 'load DIR'],
      ['page.md:3', 'load ./one'],
      ['page.md:3', 'call a b'],
      ['page.md:4', '--json config check'],
    ],
  );
});

test('a command, a command of a group and an option must exist', () => {
  const fault = (line: string): string | undefined => commandFault(program(), line.split(' '));
  assert.equal(fault('load DIR --start --json'), undefined);
  assert.equal(fault('--socket=/x config check'), undefined);
  assert.equal(fault('call a b {"unquoted":-1} --timeout=5'), undefined);
  assert.equal(fault('--help'), undefined);
  assert.match(fault('lod DIR') ?? '', /no command "lod"/);
  assert.match(fault('config chek') ?? '', /no command "chek"/);
  assert.match(fault('load DIR --now') ?? '', /load has no option --now/);
});
