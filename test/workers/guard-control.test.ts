// A plugin under permissions reaches the daemon's control socket only where it was granted it: through the socket it
// could load another plugin, which has what this one was denied.
import assert from 'node:assert/strict';
import { linkSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { startTestDaemon } from '../labs/test-daemon.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';

const denied = 'ERR_NAGAYA_DENIED';

const code = `
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import module from 'node:module';
import { relative } from 'node:path';
import workerThreads from 'node:worker_threads';

const outcome = async (act) => {
  try {
    return await act();
  } catch (error) {
    return (error.cause ?? error).code ?? String(error);
  }
};
const connected = async (path) => {
  const socket = net.connect(path);
  try {
    await once(socket, 'connect');
    return 'connected';
  } finally {
    socket.destroy();
  }
};
const ways = {
  path: (path) => connected(path),
  relative: (path) => connected(relative(process.cwd(), path)),
  proc: (path) => connected('/proc/self/root' + path),
  dotted: (path) => connected(path.replace(/\\/([^/]*)$/, '/./$1')),
  http: (path) => new Promise((resolve, reject) => http.get({ socketPath: path, path: '/v1/ping' }, () => resolve('connected')).on('error', reject)),
  handle: (path) => { const socket = new net.Socket(); socket.on('error', () => {}); socket.connect({ path: '/nowhere/at/all' }); const handle = new socket._handle.constructor(0); socket.destroy(); return handle.connect({}, path) === 0 ? 'connected' : 'failed' },
  loader: async () => { module.register('data:text/javascript,'); return 'registered' },
  worker: (path) => new Promise((resolve, reject) => new workerThreads.Worker("require('net').connect(process.argv[2]).on('connect', () => { require('worker_threads').parentPort.postMessage('connected'); process.exit() }).on('error', (error) => require('worker_threads').parentPort.postMessage(error.code))", { eval: true, argv: [path] }).on('message', resolve).on('error', reject)),
};
const all = async ({ path, names }) => Object.fromEntries(await Promise.all(names.map(async (name) => [name, await outcome(() => ways[name](path))])));

export const service = { start() {}, handleIngress: ({ payload }) => all(payload) };
export const tools = { all };
`;

type Answers = Record<string, string>;

test('a cell under permissions is refused the control socket, under each of its names and by each way to it', async (t) => {
  const folder = await temporaryFolder(t);
  const shared = join(folder, 'shared');
  const plugin = (id: string, isolation: string, permissions?: object): Record<string, object | string> => ({
    [`${id}/plugin.json`]: {
      schemaVersion: 1,
      id,
      name: id,
      version: '1.0.0',
      entry: './index.js',
      isolation,
      ...(permissions === undefined ? {} : { permissions }),
      service: { ingresses: [{ name: 'in', kinds: ['do'] }] },
      tools: [{ name: 'all', isolation: isolation === 'thread' ? 'pooled' : 'process' }],
    },
    [`${id}/package.json`]: { type: 'module' },
    [`${id}/index.js`]: code,
  });
  const readable = { fs: { read: [`${shared}/`] } };
  await writeTree(folder, {
    'shared/file': '',
    ...plugin('kept.thread', 'thread', { ...readable, worker: true }),
    ...plugin('kept.process', 'process', { ...readable, worker: true }),
    ...plugin('granted.thread', 'thread', { ...readable, control: true }),
    ...plugin('granted.process', 'process', { ...readable, control: true }),
    ...plugin('free.thread', 'thread'),
  });
  const daemon = await startTestDaemon(t, { plugins: [folder] });
  const client = await daemon.connect();
  const other = createServer((socket) => socket.end()).listen(join(shared, 'other.sock'));
  t.after(() => other.close());
  const [link, hard] = [join(shared, 'link.sock'), join(shared, 'hard.sock')];
  symlinkSync(daemon.socket, link);
  linkSync(daemon.socket, hard);
  const ask = async (id: string, path: string, names: string[]): Promise<Answers[]> => {
    const payload = { path, names };
    const { output } = await client.call('ingress.deliver', {
      plugin: id,
      event: { ingress: 'in', kind: 'do', payload },
    });
    const called = await client.call('tool.call', { plugin: id, tool: 'all', input: payload });
    return [output as Answers, called.output as Answers];
  };
  for (const id of ['kept.thread', 'kept.process']) {
    for (const path of [daemon.socket, link, hard]) {
      const names = ['path', 'relative', 'proc', 'dotted', 'http', 'handle', 'worker', 'loader'];
      for (const answers of await ask(id, path, names))
        assert.deepEqual(answers, Object.fromEntries(names.map((name) => [name, denied])), `${id} to ${path}`);
    }
    for (const answers of await ask(id, join(shared, 'other.sock'), ['path', 'worker']))
      assert.deepEqual(answers, { path: 'connected', worker: 'connected' }, id);
  }
  for (const id of ['granted.thread', 'granted.process', 'free.thread']) {
    for (const answers of await ask(id, daemon.socket, ['path', 'http']))
      assert.deepEqual(answers, { path: 'connected', http: 'connected' }, id);
  }
});
