// What somebody sees who has just installed this: start it with the samples, paste what it prints, press Ctrl-C.
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Running, examplesFolder, startCommand, startProcess, temporaryFolder } from '../labs/cli-process.ts';

/** The lines below "Try next", as they would be pasted. */
function printedCommands(banner: string): string[] {
  const [, after = ''] = banner.split('Try next, in another terminal:\n');
  return after
    .split('\n')
    .filter((line) => line.startsWith('  '))
    .map((line) => line.trim());
}

async function startSamples(t: TestContext): Promise<{ running: Running; socket: string; folder: string }> {
  const folder = temporaryFolder(t);
  const socket = join(folder, 'run', 's');
  const running = startCommand(t, ['serve', '--plugins', examplesFolder, '--socket', socket], {
    env: { NAGAYA_STATE: join(folder, 'state') },
    timeoutMs: 300_000,
  });
  await running.until('the banner', ({ stdout }) => stdout.includes('Ctrl-C stops the daemon.'));
  return { running, socket, folder };
}

test('the daemon starts with the samples, its three commands work when pasted, and Ctrl-C leaves nothing', async (t) => {
  const { running, socket, folder } = await startSamples(t);
  const banner = running.stdout();
  assert.ok(banner.startsWith('nagaya '));
  assert.ok(banner.includes(socket));
  assert.match(banner, /example\.greeter +running/);
  assert.match(banner, /example\.primes +- +primes/);

  const commands = printedCommands(banner);
  assert.equal(commands.length, 3);
  const [deliver = '', call = '', watch = ''] = commands;
  const paste = (command: string, timeoutMs?: number): Running =>
    startProcess(t, '/bin/sh', ['-c', `exec ${command}`], {
      cwd: '/',
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });

  const delivered = await paste(deliver).ended;
  assert.equal(delivered.code, 0, delivered.stderr);
  assert.deepEqual(JSON.parse(delivered.stdout), { greeting: 'Hello, Ada!' });
  const called = await paste(call).ended;
  assert.equal(called.code, 0, called.stderr);
  assert.deepEqual(JSON.parse(called.stdout), { count: 78_498, largest: 999_983 });
  const watching = paste(watch);
  await watching.until('the services', ({ stdout }) => stdout.includes('example.greeter is running'));
  watching.child.kill('SIGINT');
  assert.equal((await watching.ended).code, 0);

  running.child.kill('SIGINT');
  const ended = await running.ended;
  assert.equal(ended.code, 0, ended.stderr);
  assert.equal(ended.stdout, banner);
  assert.deepEqual(readdirSync(join(folder, 'run')), []);
});

test('the log goes to standard error, one JSON object a line', async (t) => {
  const { running } = await startSamples(t);
  running.child.kill('SIGTERM');
  const ended = await running.ended;
  assert.equal(ended.code, 0);
  const messages = ended.stderr
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { msg: string }).msg);
  assert.ok(messages.includes('listening') && messages.includes('shutting down'));
});

test('with --json the banner is one line of JSON, and the end of standard input ends the daemon', async (t) => {
  const folder = temporaryFolder(t);
  const socket = join(folder, 's');
  const running = startCommand(
    t,
    [
      'serve',
      '--json',
      '--until-stdin-ends',
      '--plugins',
      join(examplesFolder, 'primes'),
      join(folder, 'missing'),
      '--socket',
      socket,
    ],
    { env: { NAGAYA_STATE: join(folder, 'state') } },
  );
  await running.until('the announcement', ({ stdout }) => stdout.includes('\n'));
  const announced = JSON.parse(running.stdout()) as {
    event: string;
    socket: string;
    guardianPid: number;
    plugins: { id: string }[];
    invalid: { path: string }[];
    try: string[];
  };
  assert.deepEqual(
    [announced.event, announced.socket, announced.guardianPid],
    ['listening', socket, running.child.pid],
  );
  assert.deepEqual(
    announced.plugins.map(({ id }) => id),
    ['example.primes'],
  );
  assert.deepEqual(
    announced.invalid.map(({ path }) => path),
    [join(folder, 'missing')],
  );
  assert.equal(announced.try.length, 3);
  running.child.stdin.end();
  assert.equal((await running.ended).code, 0);
  assert.equal(existsSync(socket), false);
});

test('a daemon without plugins says how to write one, and a reader of the banner that goes away does not end it', async (t) => {
  const folder = temporaryFolder(t);
  const socket = join(folder, 's');
  const running = startCommand(t, ['serve', '--socket', socket], {
    env: { NAGAYA_STATE: join(folder, 'state'), NAGAYA_CONFIG: undefined, XDG_CONFIG_HOME: folder },
    cwd: folder,
  });
  await running.until('the banner', ({ stdout }) => stdout.includes('Ctrl-C'));
  assert.match(running.stdout(), /No plugins are loaded: write one with .* new service \.\/hello/);
  running.child.stdout.destroy();
  const ping = await startCommand(t, ['ping', '--socket', socket]).ended;
  assert.equal(ping.code, 0);
  running.child.kill('SIGINT');
  assert.equal((await running.ended).code, 0);
});

test('a socket path the kernel would cut is refused before anything starts', async (t) => {
  const folder = temporaryFolder(t);
  const ran = await startCommand(t, ['serve', '--socket', join(folder, 'x'.repeat(120))], {
    env: { NAGAYA_STATE: join(folder, 'state') },
  }).ended;
  assert.equal(ran.code, 1);
  assert.match(ran.stderr, /nagaya: The socket's path has \d+ bytes/);
  assert.equal(ran.stdout, '');
});
