// Completion offers what the command really takes, because it reads the same tree.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type KnownNames, completionOf, socketIn } from '../../daemon/cli/completion-words.ts';
import { completionScripts, shells } from '../../daemon/cli/completion-scripts.ts';
import { buildProgram } from '../../daemon/cli/program.ts';
import { commandFile, nagaya, temporaryFolder } from '../labs/cli-process.ts';

const known: KnownNames = {
  plugins: () =>
    Promise.resolve([
      { value: 'example.greeter', description: 'Greeter' },
      { value: 'other', description: '' },
    ]),
  tools: (plugin) => Promise.resolve([{ value: `tool-of-${plugin}`, description: '' }]),
  runtimes: () => Promise.resolve([{ value: 'backend-internal', description: '' }]),
  workers: () => Promise.resolve([{ value: 'backend-internal/one', description: 'Ada' }]),
  profiles: () => Promise.resolve([{ value: 'builtin:default', description: '' }]),
};

async function offered(...words: string[]): Promise<string[]> {
  const { candidates, paths } = await completionOf(await buildProgram(), words, known);
  return [...candidates.map(({ value }) => value), ...(paths === 'none' ? [] : [`:${paths}`])];
}

test('every visible command is offered, and after it its own options and the shared ones', async () => {
  const program = await buildProgram();
  assert.deepEqual(
    (await offered('')).toSorted(),
    [...program.commands.map((command) => command.name()), 'help'].toSorted(),
  );
  for (const command of program.commands) {
    const options = await offered(command.name(), '--');
    for (const { long } of command.options) assert.ok(options.includes(long ?? ''), `${command.name()} ${long ?? ''}`);
    assert.ok(options.includes('--json') && options.includes('--socket') && options.includes('--help'));
  }
});

test('what has begun narrows what is offered', async () => {
  assert.deepEqual(await offered('st'), ['start', 'stop', 'status', 'state', 'store']);
  assert.deepEqual(await offered('status', 'example'), ['example.greeter']);
});

test('arguments and option values are completed by what they are', async () => {
  assert.deepEqual(await offered('call', ''), ['example.greeter', 'other']);
  assert.deepEqual(await offered('call', 'other', ''), ['tool-of-other']);
  assert.deepEqual(await offered('call', '--timeout', '5', 'other', ''), ['tool-of-other']);
  assert.deepEqual(await offered('load', ''), [':folders']);
  assert.deepEqual(await offered('serve', '--plugins', ''), [':folders']);
  assert.deepEqual(await offered('serve', '--plugins', 'one', ''), [':folders']);
  assert.deepEqual(await offered('serve', '--config', ''), [':files']);
  assert.deepEqual(await offered('--socket', ''), [':files']);
  assert.deepEqual(await offered('--socket', '/x', 'sta'), ['start', 'status', 'state']);
  assert.deepEqual(await offered('serve', '--log-level', 'w'), ['warn']);
  assert.deepEqual(await offered('new', ''), ['service', 'tool']);
  assert.deepEqual(await offered('new', 'tool', ''), [':folders']);
  assert.deepEqual(await offered('config', ''), ['check', 'show', 'schema', 'help']);
  assert.deepEqual(await offered('config', 'check', ''), [':files']);
  assert.deepEqual(await offered('completion', ''), [...shells]);
  assert.deepEqual(await offered('worker', 'send', ''), ['backend-internal/one']);
  assert.deepEqual(await offered('worker', 'new', '--profile', ''), ['builtin:default']);
  assert.deepEqual(await offered('workers', '--runtime', ''), ['backend-internal']);
  assert.deepEqual(await offered('runtimes', ''), ['backend-internal']);
  assert.deepEqual(await offered('deliver', 'x', '--timeout', ''), []);
  assert.deepEqual(await offered('ping', ''), []);
  assert.deepEqual(await offered('status', '--', '--'), []);
});

test('the socket that the line names is the one that is asked', () => {
  assert.equal(socketIn(['--socket', '/a/b', 'status', '']), '/a/b');
});

test('without a daemon the answer is prompt and holds no ids', async (t) => {
  const before = performance.now();
  const ran = await nagaya(t, ['__complete', 'status', ''], {
    env: { NAGAYA_SOCKET: join(temporaryFolder(t), 'none') },
  });
  assert.equal(ran.code, 0);
  assert.equal(ran.stdout, ':none\n');
  assert.ok(performance.now() - before < 10_000);
});

function hasShell(shell: string): boolean {
  return spawnSync(shell, ['-c', ':'], { stdio: 'ignore' }).status === 0;
}

for (const shell of shells) {
  test(`the script for ${shell} parses`, { skip: hasShell(shell) ? false : `${shell} is not installed` }, (t) => {
    const path = join(temporaryFolder(t), 'script');
    writeFileSync(path, completionScripts[shell]);
    execFileSync(shell, ['-n', path]);
  });
}

test('bash completes with the printed script', async (t) => {
  const folder = temporaryFolder(t);
  const { stdout: script } = await nagaya(t, ['completion', 'bash']);
  const complete = (line: string[]): string[] => {
    const words = ['nagaya', ...line];
    const program = `${script}
nagaya() { ${process.execPath} ${commandFile} "$@"; }
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${String(words.length - 1)}
compopt() { :; }
_nagaya
printf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync('bash', ['-c', program], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, NAGAYA_SOCKET: join(folder, 'none') },
    })
      .trim()
      .split('\n');
  };
  assert.deepEqual(complete(['st']), ['start', 'stop', 'status', 'state', 'store']);
  assert.deepEqual(complete(['new', 't']), ['tool']);
  execFileSync('mkdir', [join(folder, 'a folder')]);
  assert.deepEqual(complete(['load', 'a']), ['a folder']);
});
