// The guardian from outside: the daemon comes back, its clients wait instead of being refused, signals and exit codes
// pass through, and nothing is left when either of the two ends.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect } from '../../protocol/client/client.ts';
import type { DaemonStatus } from '../../protocol/operations/daemon.ts';
import {
  type ServedDaemon,
  commandFile as daemonCommand,
  examplesFolder,
  nagaya,
  repository,
  serve,
  startProcess,
  temporaryFolder,
} from '../labs/cli-process.ts';
import { until } from '../labs/until.ts';

/** A loaded machine takes a multiple of what is promised. */
const backMs = 15_000;

interface Listening {
  readonly event: string;
  readonly pid: number;
  readonly guardianPid: number;
  readonly browser: string | null;
}

const listening = ({ running }: ServedDaemon): Listening[] =>
  running
    .stdout()
    .split('\n')
    .filter((line) => line.startsWith('{"event":"listening"'))
    .map((line) => JSON.parse(line) as Listening);

async function status(daemon: ServedDaemon): Promise<DaemonStatus> {
  const client = await connect({ socket: daemon.socket, callMs: backMs });
  try {
    return await client.call('daemon.status', {});
  } finally {
    await client.close();
  }
}

function configured(t: TestContext, config: object): string {
  const path = join(temporaryFolder(t), 'nagaya.json');
  writeFileSync(path, JSON.stringify(config));
  return path;
}

async function gone(pid: number): Promise<void> {
  const deadline = performance.now() + backMs;
  while (
    existsSync(`/proc/${String(pid)}`) &&
    !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${String(pid)}/stat`, 'utf8'))
  ) {
    assert.ok(performance.now() < deadline, `process ${String(pid)} lives on`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('a daemon that is killed comes back under the same guardian, and who connects in between is answered', async (t) => {
  const daemon = await serve(t);
  const [first] = listening(daemon);
  assert.ok(first !== undefined);
  assert.equal(first.guardianPid, daemon.running.child.pid);
  process.kill(first.pid, 'SIGKILL');
  await gone(first.pid);
  const answers = await Promise.all(Array.from({ length: 20 }, () => status(daemon)));
  for (const { pid, guardian } of answers) {
    assert.notEqual(pid, first.pid);
    assert.equal(guardian?.pid, first.guardianPid);
    assert.deepEqual(
      guardian.deaths.map(({ signal, suspects, culprit }) => [signal, suspects, culprit]),
      [['SIGKILL', [], undefined]],
    );
  }
  await daemon.running.until('the second announcement', () => listening(daemon).length === 2);
  const told = async (): Promise<number | undefined> => (await status(daemon)).guardian?.deaths[0]?.backAfterMs;
  while ((await told()) === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
  const backAfterMs = (await told()) ?? 0;
  assert.ok(backAfterMs > 0 && backAfterMs < backMs, `the time it took to be back is told: ${String(backAfterMs)}`);
});

test('the browser port outlives a daemon too, also one that the system chose', async (t) => {
  const daemon = await serve(t, ['--config', configured(t, { http: { port: 0 } })]);
  const [first] = listening(daemon);
  process.kill(first?.pid ?? 0, 'SIGKILL');
  await daemon.running.until('the second announcement', () => listening(daemon).length === 2, backMs);
  const { browser } = listening(daemon)[1] ?? {};
  assert.equal(browser, first?.browser);
  assert.equal((await fetch(`http://${browser ?? ''}/api/ping`)).status, 401);
});

test('the lock names the daemon and the guardian', async (t) => {
  const daemon = await serve(t);
  const [{ pid, guardianPid }] = listening(daemon) as [Listening];
  const second = await nagaya(t, ['serve', '--socket', daemon.socket, '--json'], {
    env: { NAGAYA_STATE: join(daemon.folder, 'second') },
  });
  const { code, details } = JSON.parse(second.stderr.trim().split('\n').at(-1) ?? '') as {
    code: string;
    details: { pid: number; guardianPid: number };
  };
  assert.deepEqual([second.code, code, details.pid, details.guardianPid], [3, 'already_running', pid, guardianPid]);
});

test('a socket file that was removed is made again, and who is connected stays so', async (t) => {
  const daemon = await serve(t);
  const early = await connect({ socket: daemon.socket });
  t.after(() => early.close());
  rmSync(daemon.socket);
  // The file is there a moment before the daemon has been given the new socket and listens on it.
  await until(
    'the new socket is answered',
    () =>
      status(daemon).then(
        () => true,
        () => false,
      ),
    backMs,
  );
  assert.equal((await status(daemon)).pid, listening(daemon)[0]?.pid);
  await early.call('daemon.ping', {});
  await daemon.running.until('the guardian to say so', ({ stderr }) =>
    stderr.includes('was removed and has been made again'),
  );
  // The new one is the guardian's as well: it outlives the daemon.
  process.kill(listening(daemon)[0]?.pid ?? 0, 'SIGKILL');
  await status(daemon);
});

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test(`${signal} to the guardian ends the daemon once, with its exit code, and leaves nothing`, async (t) => {
    const daemon = await serve(t, ['--plugins', join(examplesFolder, 'greeter')]);
    const [{ pid }] = listening(daemon) as [Listening];
    daemon.running.child.kill(signal);
    const ended = await daemon.running.ended;
    assert.deepEqual([ended.code, ended.signal], [0, null]);
    assert.equal(ended.stderr.split('"msg":"shutting down"').length, 2);
    assert.ok(!ended.stderr.includes('ending hard'), ended.stderr);
    assert.deepEqual([existsSync(daemon.socket), existsSync(`${daemon.socket}.lock`)], [false, false]);
    await gone(pid);
  });
}

test('a signal to the whole group, and one to the daemon itself, end it gracefully', async (t) => {
  const daemon = await serve(t, ['--plugins', join(examplesFolder, 'greeter')]);
  const [{ pid }] = listening(daemon) as [Listening];
  // As a service manager does that ends every process it has.
  process.kill(pid, 'SIGTERM');
  daemon.running.child.kill('SIGTERM');
  const ended = await daemon.running.ended;
  assert.deepEqual([ended.code, ended.stderr.includes('ending hard')], [0, false]);
});

test('a daemon that is told to end on its own socket takes the guardian along', async (t) => {
  const daemon = await serve(t);
  await daemon.json(['shutdown']);
  assert.equal((await daemon.running.ended).code, 0);
});

test('the end of standard input ends both', async (t) => {
  const daemon = await serve(t);
  daemon.running.child.stdin.end();
  assert.equal((await daemon.running.ended).code, 0);
  assert.equal(existsSync(daemon.socket), false);
});

test('a guardian that is killed takes its daemon along, gracefully, and leaves neither socket nor lock', async (t) => {
  const daemon = await serve(t, ['--plugins', join(examplesFolder, 'greeter')]);
  const [{ pid }] = listening(daemon) as [Listening];
  daemon.running.child.kill('SIGKILL');
  await gone(pid);
  const { stderr } = await daemon.running.ended;
  assert.match(stderr, /the guardian is gone/);
  assert.match(stderr, /stopping → stopped/);
  assert.deepEqual([existsSync(daemon.socket), existsSync(`${daemon.socket}.lock`)], [false, false]);
});

test('a start that fails is told once, with its code, and not tried again', async (t) => {
  const ran = await nagaya(t, [
    'serve',
    '--config',
    configured(t, { limits: { plugins: 'many' } }),
    '--socket',
    join(temporaryFolder(t), 's'),
  ]);
  assert.equal(ran.code, 1);
  assert.equal(ran.stderr.split('nagaya: ').length, 2);
  const usage = await nagaya(t, ['serve', '--log-level', 'loud']);
  assert.equal(usage.code, 2);
});

test('a daemon that dies again and again is given up, with the reason', async (t) => {
  const daemon = await serve(t, [
    '--config',
    configured(t, { guardian: { restart: { intensity: 2, periodMs: 600_000, backoffMs: [1, 1] } } }),
  ]);
  for (let life = 1; life <= 3; life += 1) {
    await daemon.running.until(`life ${String(life)}`, () => listening(daemon).length === life, backMs);
    process.kill(listening(daemon).at(-1)?.pid ?? 0, 'SIGKILL');
  }
  const ended = await daemon.running.ended;
  assert.equal(ended.code, 1);
  assert.match(
    ended.stderr,
    /the guardian gives up: the daemon died of SIGKILL, and it failed more than 2 times within 600000 ms/,
  );
  assert.equal(existsSync(daemon.socket), false);
});

test('after an upgrade in place the next daemon is refused, with the remedy', async (t) => {
  const installed = join(temporaryFolder(t), 'nagaya');
  for (const name of ['dist', 'web', 'package.json'])
    cpSync(join(repository, name), join(installed, name), { recursive: true });
  symlinkSync(join(repository, 'node_modules'), join(installed, 'node_modules'));
  const folder = temporaryFolder(t);
  const running = startProcess(
    t,
    process.execPath,
    [join(installed, 'dist/daemon/cli/nagaya.js'), 'serve', '--json', '--socket', join(folder, 's')],
    { env: { NAGAYA_STATE: join(folder, 'state') } },
  );
  await running.until('the daemon to listen', ({ stdout }) => stdout.includes('\n'));
  const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as object;
  writeFileSync(join(installed, 'package.json'), JSON.stringify({ ...manifest, version: '99.0.0' }));
  process.kill((JSON.parse(running.stdout().split('\n')[0] ?? '') as Listening).pid, 'SIGKILL');
  const ended = await running.ended;
  assert.equal(ended.code, 1);
  assert.match(ended.stderr, /guardian_version/);
  assert.match(ended.stderr, /99\.0\.0/);
});

test('without a guardian the process is the daemon itself', async (t) => {
  const daemon = await serve(t, ['--no-guardian']);
  const { pid, guardian } = await status(daemon);
  assert.deepEqual([pid, guardian], [daemon.running.child.pid, null]);
  daemon.running.child.kill('SIGKILL');
  assert.equal((await daemon.running.ended).signal, 'SIGKILL');
});

for (const how of ['SIGHUP', 'Ctrl-C'] as const) {
  test(
    `in a terminal the log is for people, in colours, and ${how} ends guardian and daemon gracefully`,
    { skip: spawnSync('script', ['--version']).status !== 0 && 'needs the program "script" for a terminal' },
    async (t) => {
      const folder = temporaryFolder(t);
      const socket = join(folder, 's');
      const { NO_COLOR: _none, ...env } = process.env;
      const words = ['exec', process.execPath, daemonCommand, 'serve', '--socket', socket].join(' ');
      const terminal = spawn('script', ['-qec', words, '/dev/null'], {
        env: { ...env, TERM: 'xterm', HOME: folder, XDG_STATE_HOME: folder },
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      t.after(() => void terminal.kill('SIGKILL'));
      let shown = '';
      terminal.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text));
      const ended = new Promise<number | null>((resolve) => terminal.once('exit', resolve));
      await until('it listens', () => shown.includes('listening'), backMs);
      assert.match(shown, /\u001b\[\d+m/, 'colours');
      assert.doesNotMatch(shown, /^\{/m, 'no JSON');
      const client = await connect({ socket, callMs: backMs });
      const { pid, guardian } = await client.call('daemon.status', {});
      await client.close();
      assert.ok(guardian !== null);
      // A terminal that is closed sends SIGHUP to the group in its foreground; Ctrl-C is a character that it makes
      // SIGINT of.
      if (how === 'SIGHUP') process.kill(-guardian.pid, 'SIGHUP');
      else terminal.stdin.write('\u0003');
      await Promise.all([gone(pid), gone(guardian.pid), ended]);
      assert.equal(await ended, 0, shown);
      assert.equal(existsSync(socket), false);
      assert.doesNotMatch(shown, /died of|is back/);
    },
  );
}

test(
  'when its terminal is closed, guardian and daemon end gracefully by SIGHUP',
  { skip: spawnSync('script', ['--version']).status !== 0 && 'needs the program "script" for a terminal' },
  async (t) => {
    const folder = temporaryFolder(t);
    const [socket, code] = [join(folder, 's'), join(folder, 'code')];
    const command = [process.execPath, daemonCommand, 'serve', '--socket', socket].join(' ');
    // The system tells the shell of the end, which passes it on as shells do, and says how the guardian ended.
    const words = `${command} & trap "kill -HUP $!" HUP; wait $!; wait $!; echo $? > ${code}`;
    const terminal = spawn('script', ['-qec', words, '/dev/null'], {
      env: { ...process.env, TERM: 'xterm', HOME: folder, XDG_STATE_HOME: folder },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    t.after(() => void terminal.kill('SIGKILL'));
    for await (const text of terminal.stdout.setEncoding('utf8')) if (String(text).includes('listening')) break;
    const client = await connect({ socket, callMs: backMs });
    const { pid, guardian } = await client.call('daemon.status', {});
    await client.close();
    terminal.kill('SIGKILL');
    await Promise.all([gone(pid), gone(guardian?.pid ?? 0)]);
    await until(
      'the shell has said how the guardian ended',
      () => existsSync(code) && readFileSync(code, 'utf8') !== '',
    );
    assert.equal(readFileSync(code, 'utf8').trim(), String(128 + constants.signals.SIGHUP));
    assert.deepEqual([existsSync(socket), existsSync(`${socket}.lock`)], [false, false]);
  },
);
