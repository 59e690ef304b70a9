// The daemon under a service manager: what it tells, for how long it is taken for alive, what SIGHUP means there, and a
// control socket that the manager has opened. The manager is played by a few lines of Python, which has the datagram
// sockets that Node lacks.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { commandFile, jsonLines, nagaya, startProcess, temporaryFolder } from '../labs/cli-process.ts';
import { until } from '../labs/until.ts';

const has = (program: string): boolean => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
const withoutManager = has('python3') && has('systemd-notify') ? false : 'needs python3 and systemd-notify';

const receiver = `
import json, socket, sys
listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listening.bind(sys.argv[1])
print(json.dumps({'ready': True}), flush=True)
while True:
    for line in listening.recv(4096).decode().split('\\n'):
        if line and line != 'BARRIER=1':
            print(json.dumps({'said': line}), flush=True)
`;

const activator = `
import os, socket, sys
path, command = sys.argv[1], sys.argv[2:]
listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listening.bind(path)
os.chmod(path, 0o600)
listening.listen(16)
os.dup2(listening.fileno(), 3)
os.set_inheritable(3, True)
os.environ['LISTEN_PID'] = str(os.getpid())
os.environ['LISTEN_FDS'] = '1'
os.execv(command[0], command)
`;

interface Announced {
  readonly pid: number;
  readonly guardianPid: number;
}

async function underManager(t: TestContext, watchdogMs: number, config?: object) {
  const folder = temporaryFolder(t);
  const configPath = join(folder, 'nagaya.json');
  if (config !== undefined) writeFileSync(configPath, JSON.stringify(config));
  const notify = join(folder, 'notify');
  const socket = join(folder, 's');
  const manager = startProcess(t, 'python3', ['-c', receiver, notify]);
  await manager.until('the receiver', ({ stdout }) => stdout.includes('ready'));
  const env = { NOTIFY_SOCKET: notify, WATCHDOG_USEC: String(watchdogMs * 1000), NAGAYA_STATE: join(folder, 'state') };
  const serve = startProcess(t, process.execPath, [commandFile, 'serve', '--socket', socket, '--json'], {
    env,
    cwd: folder,
  });
  await serve.until('the daemon to listen', ({ stdout }) => stdout.includes('\n'));
  const [announced] = jsonLines(serve.stdout()) as [Announced];
  const said = (): string[] => jsonLines(manager.stdout()).flatMap((line) => (line as { said?: string }).said ?? []);
  const count = (text: string): number => said().filter((line) => line === text).length;
  return { serve, socket, announced, said, count, configPath };
}

test(
  'a service manager hears that the daemon is ready, alive, reloading and stopping',
  { skip: withoutManager },
  async (t) => {
    const { serve, socket, announced, said, count } = await underManager(t, 3000);
    await until('READY', () => count('READY=1') === 1);
    await until('signs of life', () => count('WATCHDOG=1') >= 2);
    process.kill(announced.guardianPid, 'SIGHUP');
    await until('the reload', () => count('READY=1') === 2);
    const reload = said().slice(said().indexOf('RELOADING=1'));
    assert.match(reload[1] ?? '', /^MONOTONIC_USEC=\d+$/);
    assert.equal((await nagaya(t, ['ping', '--socket', socket])).code, 0, 'the daemon goes on');
    process.kill(announced.guardianPid, 'SIGTERM');
    assert.equal((await serve.ended).code, 0);
    await until('STOPPING', () => count('STOPPING=1') === 1);
  },
);

test(
  'SIGHUP has the configuration read again, and a broken one changes nothing',
  { skip: withoutManager },
  async (t) => {
    const { serve, socket, announced, count, configPath } = await underManager(t, 3000, { log: { level: 'error' } });
    await until('READY', () => count('READY=1') === 1);
    const again = 'the configuration was read again';
    assert.ok(!serve.stderr().includes(again));
    writeFileSync(configPath, JSON.stringify({ log: { level: 'info' } }));
    process.kill(announced.guardianPid, 'SIGHUP');
    await serve.until('the new level of the log', ({ stderr }) => stderr.includes(again));
    await until('the end of the reload', () => count('READY=1') === 2);
    writeFileSync(configPath, '{ "log": { "level": "loud" } }');
    process.kill(announced.guardianPid, 'SIGHUP');
    await until('the end of the next one', () => count('READY=1') === 3);
    await serve.says(/log\.level/);
    assert.equal((await nagaya(t, ['ping', '--socket', socket])).code, 0, 'the daemon goes on');
  },
);

test('a host that stands still is not taken for alive', { skip: withoutManager }, async (t) => {
  const watchdogMs = 1500;
  const { announced, count } = await underManager(t, watchdogMs);
  await until('signs of life', () => count('WATCHDOG=1') >= 2);
  process.kill(announced.pid, 'SIGSTOP');
  t.after(() => {
    process.kill(announced.pid, 'SIGCONT');
  });
  // One sign may be on its way, and one is for a beat of just before.
  await pause(watchdogMs);
  const then = count('WATCHDOG=1');
  await pause(watchdogMs * 2);
  assert.equal(count('WATCHDOG=1'), then);
  process.kill(announced.pid, 'SIGCONT');
  await until('signs of life again', () => count('WATCHDOG=1') > then);
});

test(
  'the daemon takes the control socket that the manager has opened, and leaves it there',
  { skip: withoutManager },
  async (t) => {
    const folder = temporaryFolder(t);
    const socket = join(folder, 's');
    const serve = startProcess(
      t,
      'python3',
      [
        '-c',
        activator,
        socket,
        process.execPath,
        commandFile,
        'serve',
        '--socket',
        socket,
        '--json',
        '--state',
        join(folder, 'state'),
      ],
      { cwd: folder },
    );
    await serve.until('the daemon to listen', ({ stdout }) => stdout.includes('\n'));
    assert.equal((await nagaya(t, ['ping', '--socket', socket])).code, 0);
    await nagaya(t, ['shutdown', '--socket', socket]);
    assert.equal((await serve.ended).code, 0);
    assert.ok(existsSync(socket), 'the socket is the manager’s');
  },
);

interface Printed {
  readonly manager: string;
  readonly files: readonly { readonly path: string; readonly text: string }[];
}

const withoutAnalyze = has('systemd-analyze') ? false : 'needs systemd-analyze';

for (const scope of ['--user', '--system']) {
  test(`systemd finds nothing wrong with the units of ${scope}`, { skip: withoutAnalyze }, async (t) => {
    const folder = temporaryFolder(t);
    const printed = await nagaya(
      t,
      [
        'service',
        'install',
        scope,
        '--print',
        '--json',
        '--run-as',
        'root',
        '--plugins',
        join(folder, 'with space %h $HOME'),
      ],
      { env: { XDG_CONFIG_HOME: folder } },
    );
    const { files } = JSON.parse(printed.stdout) as Printed;
    mkdirSync(join(folder, 'units'));
    for (const { path, text } of files) writeFileSync(join(folder, 'units', basename(path)), text);
    const paths = files.map(({ path }) => join(folder, 'units', basename(path)));
    const env = { ...process.env, XDG_RUNTIME_DIR: folder };
    const verified = spawnSync('systemd-analyze', ['verify', scope, '--recursive-errors=no', ...paths], {
      encoding: 'utf8',
      env,
    });
    assert.equal(verified.stderr, '');
    assert.equal(verified.status, 0);
    const service = files.find(({ path }) => path.endsWith('.service'))?.text ?? '';
    for (const line of [/^Type=notify$/m, /^WatchdogSec=\d+$/m, /^ExecReload=\/bin\/kill -HUP \$MAINPID$/m])
      assert.match(service, line);
    assert.match(service, /with space %%h \$\$HOME"/);
  });
}

test('`service install` writes the files, and `uninstall` removes them', async (t) => {
  const folder = temporaryFolder(t);
  const env = { XDG_CONFIG_HOME: folder, HOME: folder };
  const installed = await nagaya(t, ['service', 'install', '--no-start', '--json'], { env });
  assert.equal(installed.code, 0, installed.stderr);
  const { written } = JSON.parse(installed.stdout) as { written: string[] };
  assert.ok(written.length > 0);
  for (const path of written) assert.ok(existsSync(path) && path.startsWith(folder), path);
  await nagaya(t, ['service', 'uninstall', '--json'], { env });
  for (const path of written) assert.ok(!existsSync(path), path);
});
