// The port for browsers as part of a daemon: off until configured, opened or refused at the start, ended with the
// daemon.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openStream, runtimePath } from '../labs/browser-lab.ts';
import { nagaya, temporaryFolder } from '../labs/cli-process.ts';
import { ask } from '../labs/http-client.ts';
import { type TestDaemon, startTestDaemon } from '../labs/test-daemon.ts';
import { until } from '../labs/until.ts';

async function placeOf(daemon: TestDaemon): Promise<{ host: string; port: number }> {
  const { browser } = await (await daemon.connect()).call('daemon.status', {});
  const [host = '', port = ''] = browser?.address.split(':') ?? [];
  return { host, port: Number(port) };
}

const tokens = { token: 'token-for-everything-of-it', readToken: 'token-for-reading-alone-of-it' };

/** Runs `nagaya serve` with a configuration that it must refuse. */
async function refusedServe(t: test.TestContext, config: object): Promise<{ code: number | null; stderr: string }> {
  const folder = temporaryFolder(t);
  const path = join(folder, 'nagaya.json');
  writeFileSync(path, JSON.stringify({ stateFolder: join(folder, 'state'), ...config }));
  return await nagaya(t, ['serve', '--json', '--socket', join(folder, 's'), '--config', path]);
}

test('no port is open until the configuration says so, and then `nagaya open` says what to do', async (t) => {
  const daemon = await startTestDaemon(t);
  assert.equal((await (await daemon.connect()).call('daemon.status', {})).browser, null);
  const { code, stderr } = await nagaya(t, ['open', '--socket', daemon.socket]);
  assert.equal(code, 4);
  assert.match(stderr, /http\.port/);
});

test('status and log tell the address and no token; links lead to it', async (t) => {
  const daemon = await startTestDaemon(t, { config: { http: { port: 0, ...tokens } } });
  const place = await placeOf(daemon);
  assert.equal(place.host, '127.0.0.1');
  const status = JSON.stringify(await (await daemon.connect()).call('daemon.status', {}));
  await daemon.logged(new RegExp(`"address":"127\\.0\\.0\\.1:${String(place.port)}"`));
  const opened = await nagaya(t, ['open', '--socket', daemon.socket]);
  assert.equal(opened.code, 0);
  assert.match(opened.stdout, new RegExp(`^http://127\\.0\\.0\\.1:${String(place.port)}/open/[\\w-]{43}\n$`));
  for (const token of Object.values(tokens))
    assert.ok(![status, daemon.log(), opened.stdout, opened.stderr].some((text) => text.includes(token)));
  const read = JSON.parse((await nagaya(t, ['open', '--read-only', '--json', '--socket', daemon.socket])).stdout) as {
    url: string;
    readOnly: boolean;
  };
  assert.equal(read.readOnly, true);
  const signedIn = await ask(place, 'GET', new URL(read.url).pathname);
  const cookie = signedIn.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
  assert.deepEqual((await ask(place, 'GET', '/session', { headers: { cookie } })).json, {
    signedIn: true,
    readOnly: true,
    scope: 'browse',
  });
  assert.equal(
    (await ask(place, 'POST', `${runtimePath}/workers`, { body: { intent: 'x' }, headers: { cookie } })).status,
    403,
  );
  for (const [token, expected] of [
    [tokens.token, 200],
    [tokens.readToken, 403],
  ] as const) {
    assert.equal(
      (
        await ask(place, 'POST', `${runtimePath}/workers`, {
          body: { intent: 'x' },
          headers: { authorization: `Bearer ${token}` },
        })
      ).status,
      expected,
    );
  }
});

test('a port that is taken keeps the daemon from starting, with the remedy', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const { port } = other.address() as { port: number };
  const { code, stderr } = await refusedServe(t, { http: { port } });
  assert.equal(code, 1);
  const complaint = JSON.parse(stderr.trim().split('\n').at(-1) ?? '') as {
    code: string;
    message: string;
    remedy: string;
  };
  assert.equal(complaint.code, 'port_unusable');
  assert.match(complaint.message, new RegExp(`127\\.0\\.0\\.1:${String(port)} is taken`));
  assert.match(complaint.remedy, /http\.port/);
});

const canMount = spawnSync('mount', ['--version']).status === 0 && process.getuid?.() === 0;

/** A file system of one page, which one file fills; gone with the test. Throws if mounting is not allowed here. */
function smallFileSystem(t: test.TestContext, options: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'nagaya-small-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4k,mode=700', 'tmpfs', folder], { stdio: 'pipe' });
  t.after(() => {
    // A daemon of the test may still have it open.
    execFileSync('umount', ['--lazy', folder]);
    rmdirSync(folder);
  });
  writeFileSync(join(folder, 'filler'), Buffer.alloc(4096));
  execFileSync('mount', ['-o', `remount,${options}`, folder], { stdio: 'pipe' });
  return folder;
}

for (const [what, options, reason, words] of [
  ['full', 'rw', 'ENOSPC', /nagaya-small-\w+ has no space left; free some, or set http\.token and http\.readToken/],
  ['read-only', 'ro', 'EROFS', /nagaya-small-\w+ is on a file system that is mounted read-only/],
] as const) {
  test(
    `a state folder that is ${what} keeps a daemon with a port for browsers from starting, with the remedy`,
    { skip: canMount ? false : 'only root may mount' },
    async (t) => {
      const stateFolder = smallFileSystem(t, options);
      const { code, stderr } = await refusedServe(t, { stateFolder, http: { port: 0 } });
      assert.equal(code, 1);
      const told = stderr
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { code?: string; message: string; details: object; remedy: string });
      // A busy machine may have the daemon say more while it ends.
      const complaint = told.find(({ code }) => code === 'state_unusable');
      assert.ok(complaint !== undefined, stderr);
      assert.deepEqual(complaint.details, { path: stateFolder, reason });
      assert.match(complaint.message, words);
      assert.match(complaint.remedy, /stateFolder/);
      // Tokens of the configuration need no file.
      const daemon = await startTestDaemon(t, { config: { stateFolder, http: { port: 0, ...tokens } } });
      assert.equal((await (await daemon.connect()).call('daemon.ping', {})).pong, true);
    },
  );
}

test(
  'a state folder that this user may not write is told the same way',
  { skip: process.getuid?.() === 0 ? 'root may write anywhere' : false },
  async (t) => {
    const stateFolder = temporaryFolder(t);
    chmodSync(stateFolder, 0o500);
    const { stderr } = await refusedServe(t, { stateFolder, http: { port: 0 } });
    assert.match(stderr, /"code":"state_unusable".*may not be written/);
  },
);

test('an address that others can reach needs a second setting, and is warned of', async (t) => {
  const refused = await refusedServe(t, { http: { port: 0, host: '0.0.0.0' } });
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /http\.host.*allowRemote/);
  assert.match(
    (await refusedServe(t, { http: { port: 0, token: tokens.token, readToken: tokens.token } })).stderr,
    /http\.readToken.*differ/,
  );
  assert.match((await refusedServe(t, { http: { port: 0, token: 'short' } })).stderr, /http\.token/);
  const daemon = await startTestDaemon(t, { config: { http: { port: 0, host: '0.0.0.0', allowRemote: true } } });
  await until('the warning', () => /can be reached from other machines/.test(daemon.log()));
  const { port } = await placeOf(daemon);
  assert.equal((await ask({ host: '127.0.0.1', port }, 'GET', '/')).status, 200);
});

test('streams and connections of browsers do not keep the daemon from ending', async (t) => {
  const daemon = await startTestDaemon(t, { config: { http: { port: 0, ...tokens } } });
  const client = await daemon.connect();
  const place = await placeOf(daemon);
  const { workerId } = await client.call('worker.create', { runtimeId: 'backend-internal', intent: 'x' });
  const stream = await openStream(t, place, `${runtimePath}/workers/${workerId}/events`, {
    authorization: `Bearer ${tokens.readToken}`,
  });
  const bySocket = await openStream(t, daemon.socket, `${runtimePath}/workers/${workerId}/events`);
  await until('both streams', () => stream.events().length === 1 && bySocket.events().length === 1);
  const before = performance.now();
  daemon.signal('SIGTERM');
  assert.deepEqual(await daemon.ended, { code: 0, signal: null });
  assert.ok(performance.now() - before < 10_000);
  await Promise.all([stream.ended, bySocket.ended]);
});
