// How the command answers to a wrong command line, to no daemon and to a reader that has gone.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildProgram } from '../../daemon/cli/program.ts';
import { logLevels } from '../../daemon/cli/commands/serve.ts';
import { config } from '../../daemon/config/schema.ts';
import { commandFile, nagaya, temporaryFolder } from '../labs/cli-process.ts';

const usage: Record<string, { readonly args: readonly string[]; readonly says: RegExp }> = {
  'an unknown command suggests the nearest': {
    args: ['stauts'],
    says: /unknown command 'stauts'\.\n {2}remedy: Did you mean status\?/,
  },
  'an unknown option suggests the nearest': {
    args: ['status', '--jsn'],
    says: /unknown option '--jsn'\.\n {2}remedy: Did you mean --json\?/,
  },
  'a missing argument is named': { args: ['load'], says: /missing required argument 'folder'/ },
  'one argument too many is refused': { args: ['ping', 'pong'], says: /too many arguments for 'ping'/ },
  'a number out of its bounds is told with them': { args: ['logs', '-n', '5000'], says: /whole number from 0 to 1000/ },
  'a choice that is none is told with the choices': { args: ['completion', 'tcsh'], says: /bash, zsh, fish/ },
  'a payload that is no JSON is told with the quoting that works': {
    args: ['deliver', 'x', 'hello'],
    says: /The payload is not JSON[^]*'"hello"'/,
  },
  'a payload and a file cannot both be given': {
    args: ['publish', 'x', '{}', '--file', 'y'],
    says: /A payload and --file were given/,
  },
};

for (const [promise, { args, says }] of Object.entries(usage)) {
  test(promise, async (t) => {
    const ran = await nagaya(t, args);
    assert.equal(ran.code, 2, ran.stderr);
    assert.equal(ran.stdout, '');
    assert.match(ran.stderr, /^nagaya: /);
    assert.match(ran.stderr, says);
  });
}

test('with --json a fault of usage is one JSON object on standard error', async (t) => {
  const ran = await nagaya(t, ['stauts', '--json']);
  assert.equal(ran.code, 2);
  assert.deepEqual(JSON.parse(ran.stderr), {
    code: 'invalid_request',
    message: "unknown command 'stauts'.",
    retryable: false,
    details: {},
    remedy: 'Did you mean status?',
  });
});

test('no command prints the help as an error, --help prints it as data', async (t) => {
  const nothing = await nagaya(t, []);
  const help = await nagaya(t, ['--help']);
  assert.equal(nothing.code, 2);
  assert.equal(help.code, 0);
  assert.equal(nothing.stderr, help.stdout);
  for (const code of ['0  fine', '1  failed', '2  usage', '3  no daemon', '4  the daemon refused'])
    assert.ok(help.stdout.includes(code));
});

test('every command has a description and examples that name it', async () => {
  const program = await buildProgram();
  for (const command of program.commands.flatMap((parent) => [parent, ...parent.commands])) {
    let text = '';
    command.configureOutput({ writeOut: (part) => void (text += part) });
    command.outputHelp();
    const path = command.parent === program ? command.name() : `${command.parent?.name() ?? ''} ${command.name()}`;
    assert.notEqual(command.description(), '', path);
    assert.match(text, new RegExp(`Examples:\\n[^]*nagaya ${path}`), path);
  }
});

test('an unreachable daemon is told with how to start one, exit code 3', async (t) => {
  const socket = join(temporaryFolder(t), 'none');
  for (const args of [
    ['status'],
    ['ping'],
    ['plugins'],
    ['deliver', 'x'],
    ['call', 'x', 'y'],
    ['watch'],
    ['logs'],
    ['shutdown'],
  ]) {
    const ran = await nagaya(t, [...args, '--socket', socket]);
    assert.equal(ran.code, 3, args.join(' '));
    assert.match(ran.stderr, /^nagaya: No daemon answers at .*none[^]*remedy: .*nagaya serve/);
    assert.equal(ran.stdout, '');
  }
  const json = await nagaya(t, ['status', '--json', '--socket', socket]);
  assert.equal(json.code, 3);
  assert.equal((JSON.parse(json.stderr) as { code: string }).code, 'daemon_unreachable');
});

test('a reader that goes away ends the command quietly', { skip: !existsSync('/bin/bash') }, () => {
  const ran = spawnSync(
    '/bin/bash',
    ['-c', `set -o pipefail; "${process.execPath}" "${commandFile}" schema manifest | head -c 1`],
    { encoding: 'utf8' },
  );
  assert.equal(ran.stderr, '');
  assert.equal(ran.stdout, '{');
  assert.equal(ran.status, 0);
});

test('the version is that of the package', async (t) => {
  const ran = await nagaya(t, ['--version']);
  assert.equal(ran.code, 0);
  assert.match(ran.stdout, /^\d+\.\d+\.\d+\n$/);
});

test('the log levels that serve takes are those of the configuration', () => {
  assert.deepEqual(logLevels, config.shape.log.unwrap().shape.level.unwrap().options);
});
