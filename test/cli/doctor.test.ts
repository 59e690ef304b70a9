// `nagaya doctor` finds planted faults and names the command that fixes each; the command is run where it can be.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkDisk } from '../../daemon/cli/doctor/folders.ts';
import { checkCommand, checkNode, checkOpenFiles } from '../../daemon/cli/doctor/machine.ts';
import type { Finding } from '../../daemon/cli/doctor/finding.ts';
import { daemonFindings } from '../../daemon/cli/doctor/running-daemon.ts';
import type { DaemonStatus } from '../../protocol/operations/daemon.ts';
import { type Cleanup, type RunOptions, nagaya, startProcess, temporaryFolder } from '../labs/cli-process.ts';

interface Report {
  readonly healthy: boolean;
  readonly findings: readonly Finding[];
}

async function doctor(
  t: Cleanup,
  folder: string,
  env: RunOptions['env'] = {},
): Promise<{ code: number | null; report: Report; of: (check: string) => Finding }> {
  const ran = await nagaya(t, ['doctor', '--json'], {
    cwd: folder,
    env: {
      XDG_CONFIG_HOME: join(folder, 'config'),
      NAGAYA_STATE: join(folder, 'state'),
      NAGAYA_SOCKET: join(folder, 'run', 's'),
      ...env,
    },
  });
  assert.equal(ran.stderr, '');
  const report = JSON.parse(ran.stdout) as Report;
  const of = (check: string): Finding => {
    const found = report.findings.find((finding) => finding.check === check);
    assert.ok(found !== undefined, `no finding about ${check} in ${ran.stdout}`);
    return found;
  };
  return { code: ran.code, report, of };
}

/** The command a remedy gives in backticks. */
const commandIn = (finding: Finding): string => /`([^`]+)`(?!.*`)/.exec(finding.remedy ?? '')?.[1] ?? '';

test('a machine without faults is healthy, and a missing daemon comes with how to start one', async (t) => {
  const folder = temporaryFolder(t);
  const { code, report, of } = await doctor(t, folder);
  assert.deepEqual(
    report.findings.filter(({ state }) => state !== 'ok'),
    [],
  );
  assert.equal(report.healthy, true);
  assert.equal(code, 0);
  assert.match(of('daemon').remedy ?? '', /serve/);
  const said = await nagaya(t, ['doctor', '--socket', join(folder, 's')], {
    cwd: folder,
    env: { XDG_CONFIG_HOME: folder, NAGAYA_STATE: join(folder, 'state') },
  });
  assert.match(said.stdout, /all is well|no faults/);
});

test('a stale socket and lock are found, and the command given removes them', async (t) => {
  const folder = temporaryFolder(t);
  const socket = join(folder, 'run', 's');
  mkdirSync(join(folder, 'run'), { mode: 0o700 });
  // A process that listened and was killed leaves its socket behind.
  const listener = startProcess(t, process.execPath, [
    '-e',
    `require('node:net').createServer().listen(${JSON.stringify(socket)}, () => console.log('up'))`,
  ]);
  await listener.until('a listening process', ({ stdout }) => stdout.includes('up'));
  listener.child.kill('SIGKILL');
  await listener.ended;
  writeFileSync(`${socket}.lock`, JSON.stringify({ pid: 2 ** 22 + 1, start: 'gone', nonce: 'n' }));

  const { code, of } = await doctor(t, folder);
  assert.equal(code, 0);
  assert.equal(of('socket and lock').state, 'warning');
  assert.match(of('socket and lock').message, /stale/);
  execFileSync('sh', ['-c', commandIn(of('socket and lock'))]);
  assert.equal((await doctor(t, folder)).of('socket and lock').state, 'ok');
});

test('a lock that is torn counts as stale', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'run'), { mode: 0o700 });
  writeFileSync(join(folder, 'run', 's.lock'), '{"pi');
  assert.match((await doctor(t, folder)).of('socket and lock').message, /stale.*s\.lock is left/);
});

test('a living process that holds the lock and does not answer is a fault', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'run'), { mode: 0o700 });
  writeFileSync(join(folder, 'run', 's.lock'), JSON.stringify({ pid: process.pid, start: '', nonce: 'n' }));
  const { code, of } = await doctor(t, folder);
  assert.equal(code, 1);
  assert.equal(of('socket and lock').state, 'fault');
  assert.ok(commandIn(of('socket and lock')).includes(`kill ${String(process.pid)}`));
});

test('a socket folder that others can write is a fault, and the command given closes it', async (t) => {
  const folder = temporaryFolder(t);
  const run = join(folder, 'run');
  mkdirSync(run);
  chmodSync(run, 0o777);
  const { code, of } = await doctor(t, folder);
  assert.equal(code, 1);
  assert.equal(of('socket folder').state, 'fault');
  execFileSync('sh', ['-c', commandIn(of('socket folder'))]);
  assert.equal(statSync(run).mode & 0o777, 0o700);
  assert.equal((await doctor(t, folder)).of('socket folder').state, 'ok');
});

test('a shared folder is never to be closed: the socket is what moves', async (t) => {
  const folder = temporaryFolder(t);
  const shared = join(folder, 'shared');
  mkdirSync(shared);
  chmodSync(shared, 0o1777);
  const finding = (await doctor(t, folder, { NAGAYA_SOCKET: join(shared, 's') })).of('socket folder');
  assert.equal(finding.state, 'warning');
  assert.doesNotMatch(finding.remedy ?? '', /chmod/);
});

test('a socket path the kernel would cut is a fault', async (t) => {
  const folder = temporaryFolder(t);
  const { code, of } = await doctor(t, folder, { NAGAYA_SOCKET: join(folder, 'x'.repeat(120)) });
  assert.equal(code, 1);
  assert.match(of('socket path').message, /and the kernel takes \d+/);
  assert.match(of('socket path').remedy ?? '', /export NAGAYA_SOCKET=/);
});

test("something that is no socket in the socket's place is a fault", async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'run'), { mode: 0o700 });
  writeFileSync(join(folder, 'run', 's'), 'precious');
  const { of } = await doctor(t, folder);
  assert.equal(of('socket and lock').state, 'fault');
  assert.match(of('socket and lock').remedy ?? '', /mv /);
});

test("a file in the state folder's place, or one that others can read, is told", async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'file'), '');
  assert.equal(
    (await doctor(t, folder, { NAGAYA_STATE: join(folder, 'file', 'state') })).of('state folder').state,
    'fault',
  );
  mkdirSync(join(folder, 'state'));
  chmodSync(join(folder, 'state'), 0o755);
  const { code, of } = await doctor(t, folder);
  assert.equal(code, 0);
  assert.equal(of('state folder').state, 'warning');
  execFileSync('sh', ['-c', commandIn(of('state folder'))]);
  assert.equal((await doctor(t, folder)).of('state folder').state, 'ok');
});

test(
  'a state folder this user cannot write is a fault',
  { skip: process.getuid?.() === 0 ? 'root may write everywhere' : false },
  async (t) => {
    const folder = temporaryFolder(t);
    mkdirSync(join(folder, 'state'), { mode: 0o500 });
    assert.equal((await doctor(t, folder)).of('state folder').state, 'fault');
  },
);

test('each fault of the configuration is a finding of its own', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'nagaya.json'), JSON.stringify({ limit: 1, limits: { plugins: -1 } }));
  const { code, report } = await doctor(t, folder);
  assert.equal(code, 1);
  assert.equal(report.findings.filter(({ check, state }) => check === 'configuration' && state === 'fault').length, 2);
});

test('a configuration whose socket commands do not look for, and whose plugin folder is missing, is a warning', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(
    join(folder, 'nagaya.json'),
    JSON.stringify({ socket: './elsewhere.sock', plugins: { folders: ['./missing'] } }),
  );
  const { of } = await doctor(t, folder);
  assert.ok(commandIn(of('socket')).length > 0 || (of('socket').remedy ?? '').includes(join(folder, 'elsewhere.sock')));
  assert.match(of('plugin folder').message, /missing is not there/);
});

test('something that listens and is no daemon is not taken for one', async (t) => {
  const folder = temporaryFolder(t);
  const server = createServer((socket) => socket.end('no\n')).listen(join(folder, 's'));
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => server.close());
  assert.match((await doctor(t, folder, { NAGAYA_SOCKET: join(folder, 's') })).of('daemon').message, /none answers/);
});

test('an old Node, few open files and a full disk are told with what helps', async (t) => {
  assert.equal(checkNode('20.20.0').state, 'ok');
  assert.equal(checkNode('24.1.0').state, 'ok');
  assert.equal(checkNode('20.19.9').state, 'fault');
  assert.equal(checkNode('18.20.0').state, 'fault');

  const limits = join(temporaryFolder(t), 'limits');
  writeFileSync(
    limits,
    'Limit                     Soft Limit           Hard Limit           Units\nMax open files            256                  256                  files\n',
  );
  const few = await checkOpenFiles(512, limits);
  assert.equal(few.state, 'warning');
  assert.match(few.remedy ?? '', /ulimit -n 768/);
  assert.equal((await checkOpenFiles(512, join(limits, 'none'))).state, 'ok');
  assert.equal((await checkOpenFiles(512)).check, 'open files');

  assert.equal((await checkDisk('/nowhere/at/all', () => Promise.resolve(1024))).state, 'fault');
  assert.equal((await checkDisk('/', () => Promise.resolve(100 * 1024 * 1024))).state, 'warning');
  assert.equal((await checkDisk('/', () => Promise.resolve(1024 ** 4))).state, 'ok');
});

test('another installation on the PATH is told', (t) => {
  const folder = temporaryFolder(t);
  assert.match(checkCommand({ PATH: folder }).remedy ?? '', /alias nagaya=/);
  writeFileSync(join(folder, 'nagaya'), '#!/bin/sh\n', { mode: 0o755 });
  assert.equal(checkCommand({ PATH: folder }).state, 'warning');
});

test('a daemon of another version, with unkillable threads or failed services is told', () => {
  // Only the parts the doctor looks at; the rest of a status is as large as the daemon.
  const status = {
    version: '0.0.0',
    pid: 1,
    uptimeMs: 5,
    counts: { unkillable: 2, servicesFailed: 1 },
    notes: [],
    eventLoopDelayMs: { p99: 900 },
  } as unknown as DaemonStatus;
  assert.deepEqual(
    daemonFindings(status, '/s').map(({ check, state }) => [check, state]),
    [
      ['daemon', 'ok'],
      ['daemon version', 'warning'],
      ['threads', 'warning'],
      ['services', 'warning'],
      ['host', 'warning'],
    ],
  );
});
