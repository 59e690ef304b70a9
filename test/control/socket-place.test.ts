// Where the control socket may be: short enough, owned, closed to others, and never in the place of something else.
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { limits } from '../../daemon/config/schema.ts';
import { ControlServer } from '../../daemon/control/socket/control-server.ts';
import { ControlSocket } from '../../daemon/control/socket/control-socket.ts';
import { prepareSocketFolder } from '../../daemon/control/socket/socket-folder.ts';
import { HalfLines } from '../../daemon/control/half-lines.ts';
import { Feed } from '../../daemon/telemetry/feed.ts';
import { maxSocketPathBytes } from '../../protocol/client/socket-path.ts';
import { HostError } from '../../protocol/errors.ts';
import { allHandlers, noReports } from '../labs/control-lab.ts';
import { noMcp } from '../labs/no-mcp.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';

function newServer(t: test.TestContext): ControlServer {
  const server = new ControlServer({
    handlers: allHandlers({}),
    limits: limits.parse({}),
    feed: new Feed(),
    log: { warn() {}, error() {} },
    halfLines: new HalfLines(2 ** 26),
    shuttingDown: () => false,
    reports: noReports,
    version: '0.0.0',
    mcp: noMcp(),
  });
  t.after(() => server.close(100));
  return server;
}

const unusable = (reason: string) => (error: unknown) =>
  error instanceof HostError && error.code === 'socket_unusable' && error.details['reason'] === reason;

test('a path is measured in bytes, and one too long is refused with its length and the remedy', async (t) => {
  const folder = await temporaryFolder(t);
  const fits = join(folder, 'é'.repeat(100)).slice(0, 200);
  const bytes = Buffer.byteLength(fits);
  assert.ok(fits.length < bytes && bytes > maxSocketPathBytes);
  await assert.rejects(newServer(t).listen(fits), (error: unknown) => {
    assert.ok(error instanceof HostError);
    assert.equal(error.code, 'socket_unusable');
    assert.deepEqual(error.details, { path: fits, reason: 'path_too_long', bytes, maximum: maxSocketPathBytes });
    assert.match(error.message, new RegExp(`${String(bytes)} bytes.*--socket`));
    return true;
  });
  assert.deepEqual(readdirSync(folder), []);
  const longest = join(folder, 'x'.repeat(maxSocketPathBytes - Buffer.byteLength(folder) - 1));
  await newServer(t).listen(longest);
  assert.ok(statSync(longest).isSocket(), 'the longest that fits is made where it was asked for');
});

test('socket, lock and the folders made for them are for their owner alone, whatever the umask', async (t) => {
  const folder = await temporaryFolder(t);
  const before = process.umask(0);
  t.after(() => process.umask(before));
  const path = join(folder, 'new', 'deeper', 's.sock');
  const server = newServer(t);
  await server.listen(path);
  assert.equal(process.umask(), 0, 'the umask is as it was');
  assert.deepEqual(
    [statSync(join(folder, 'new')).mode & 0o777, statSync(join(folder, 'new', 'deeper')).mode & 0o777],
    [0o700, 0o700],
  );
  assert.deepEqual([statSync(path).mode & 0o777, statSync(`${path}.lock`).mode & 0o777], [0o600, 0o600]);
});

test(
  'a folder in which none can be made is refused, and is not tried for ever',
  { skip: process.platform === 'linux' ? false : "/proc is Linux's", timeout: 10_000 },
  () => {
    assert.throws(() => prepareSocketFolder('/proc/nagaya-socket/deep/n.sock'), unusable('ENOENT'));
  },
);

test('what is no socket is not removed', async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'precious');
  writeFileSync(file, 'data');
  symlinkSync(file, join(folder, 'link'));
  mkdirSync(join(folder, 'folder'));
  for (const name of ['precious', 'link', 'folder']) {
    await assert.rejects(newServer(t).listen(join(folder, name)), unusable('not_a_socket'), name);
  }
  assert.equal(readFileSync(file, 'utf8'), 'data');
  assert.deepEqual(readdirSync(folder).sort(), ['folder', 'link', 'precious'], 'and no lock is left');
});

test('a lock that is no lock is refused', async (t) => {
  const path = join(await temporaryFolder(t), 's.sock');
  mkdirSync(`${path}.lock`);
  await assert.rejects(newServer(t).listen(path), unusable('foreign_lock'));
});

test('a socket put in the place of ours is neither removed nor unlocked for by our end', async (t) => {
  const folder = await temporaryFolder(t);
  const path = join(folder, 's.sock');
  const server = newServer(t);
  await server.listen(path);
  renameSync(path, join(folder, 'aside'));
  const other = createServer();
  await new Promise<void>((listening) => other.listen(path, listening));
  t.after(() => other.close());
  writeFileSync(`${path}.lock`, "somebody else's");
  const theirs = lstatSync(path).ino;
  await server.close(1000);
  assert.equal(lstatSync(path).ino, theirs);
  assert.equal(readFileSync(`${path}.lock`, 'utf8'), "somebody else's");
});

test('a socket that cannot be bound leaves no lock', async (t) => {
  const folder = await temporaryFolder(t);
  const path = join(folder, 's.sock');
  const taken = createServer();
  await new Promise<void>((listening) => taken.listen(join(folder, 'taken'), listening));
  t.after(() => taken.close());
  await assert.rejects(ControlSocket.listenAt(path)(taken, () => Promise.resolve()));
  assert.equal(existsSync(`${path}.lock`), false);
});

test('what is prepared behind the lock is done before anybody can connect, and its failure leaves nothing', async (t) => {
  const path = join(await temporaryFolder(t), 's.sock');
  const look = (): boolean[] => [existsSync(`${path}.lock`), existsSync(path)];
  await assert.rejects(
    newServer(t).listen(path, () => Promise.reject(new Error('no plugins'))),
    /no plugins/,
  );
  assert.deepEqual(look(), [false, false]);
  let during: boolean[] = [];
  await newServer(t).listen(path, async () => {
    during = look();
  });
  assert.deepEqual(
    [during, look()],
    [
      [true, false],
      [true, true],
    ],
  );
});

test('one of the default folders must be a real folder of this user that nobody else may write to', async (t) => {
  const runtime = await temporaryFolder(t);
  const env = { XDG_RUNTIME_DIR: runtime };
  const folder = join(runtime, 'nagaya');
  const prepare = (): void => prepareSocketFolder(join(folder, 'nagaya.sock'), env);
  prepare();
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  prepare();
  for (const mode of [0o770, 0o707, 0o777]) {
    chmodSync(folder, mode);
    assert.throws(prepare, unusable('open_folder'));
  }
  chmodSync(folder, 0o755);
  prepare();
  renameSync(folder, join(runtime, 'elsewhere'));
  symlinkSync(join(runtime, 'elsewhere'), folder);
  assert.throws(prepare, unusable('not_a_folder'));
  prepareSocketFolder(join(folder, 'own.sock'), {});
});
