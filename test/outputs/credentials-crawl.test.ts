// Credentials of outputs and of connections are planted, made to fail in every way, given back by whoever gets them,
// and then looked for everywhere.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createSocketServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { nagaya } from '../labs/cli-process.ts';
import { outputLab, sender } from '../labs/output-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { startPeer } from '../labs/websocket-lab.ts';
import { until } from '../labs/until.ts';

const planted = {
  HTTP_TOKEN: 'planted-http-5d20',
  CHAT_TOKEN: 'planted-chat-91ce',
  BROKER_PASSWORD: 'planted-broker-7e3a',
};
const inFile = 'planted-file-c40b';

function filesBelow(folder: string): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) found.set(join(entry.parentPath, entry.name), readFileSync(join(entry.parentPath, entry.name)));
  return found;
}

test('planted credentials are found nowhere, whoever gives them back', async (t) => {
  const seen: string[] = [];
  // Answers with what it was sent: in the status line, in headers, in the body and in a redirect.
  const http = createServer((request, response) => {
    const token = String(request.headers.authorization);
    seen.push(token);
    response.writeHead(request.url === '/moved' ? 302 : 500, token, { location: `/?${token}`, 'retry-after': token });
    response.end(token);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  // A broker that closes with the whole CONNECT as its reason.
  const broker = createSocketServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (chunk: Buffer) => {
      seen.push(chunk.toString('latin1'));
      const reason = Buffer.from([0x1f, 0, planted.BROKER_PASSWORD.length, ...Buffer.from(planted.BROKER_PASSWORD)]);
      const body = Buffer.from([0, 0x86, reason.length, ...reason]);
      socket.end(Buffer.from([0x20, body.length, ...body]));
    });
  });
  await new Promise<void>((resolve) => broker.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    http.closeAllConnections();
    http.close();
    broker.close();
  });
  const url = `http://127.0.0.1:${String((http.address() as AddressInfo).port)}/`;
  const brokerUrl = `mqtt://127.0.0.1:${String((broker.address() as AddressInfo).port)}`;
  const peer = await startPeer(t);
  const file = join(await temporaryFolder(t), 'credential');
  writeFileSync(file, `${inFile}\n`, { mode: 0o600 });
  const bearer = (env: string): object => ({ header: 'authorization', prefix: 'Bearer ', env });
  const { daemon, client, send, publish, output } = await outputLab(t, {
    sources: [
      {
        name: 'chat',
        type: 'websocket',
        ingress: 'in',
        kind: 'do',
        url: peer.url,
        auth: bearer('CHAT_TOKEN'),
        hello: [{ token: '{env}' }],
        reconnect: { backoffMs: [10, 20] },
      },
      {
        name: 'home',
        type: 'mqtt',
        ingress: 'in',
        kind: 'do',
        url: brokerUrl,
        topics: ['a'],
        auth: { env: 'BROKER_PASSWORD' },
      },
    ],
    outputs: [
      { name: 'http', type: 'http', url, auth: bearer('HTTP_TOKEN') },
      { name: 'filed', type: 'http', url, auth: bearer('HTTP_TOKEN') },
      { name: 'lamp', type: 'mqtt', url: brokerUrl, topic: 'lamp', auth: { env: 'BROKER_PASSWORD' } },
      { name: 'say', type: 'websocket', source: 'chat' },
    ],
    env: planted,
    config: {
      log: { level: 'trace' },
      bundles: { payloads: true },
      plugins: {
        overrides: { [sender]: { outputs: { filed: { auth: { header: 'authorization', env: { file } } } } } },
      },
    },
  });
  const [connection] = await Promise.all([peer.connection(0)]);
  await send(['http', 1], ['http', 2, { key: 'moved', path: 'moved' }], ['filed', 3], ['lamp', 4], ['say', 5]);
  await publish({ send: [['http', 'never']], throws: 9 });
  connection.close(4000, planted.CHAT_TOKEN);
  await until('all have failed', async () => {
    const states = await Promise.all(['http', 'filed', 'lamp'].map((name) => output(name)));
    return states.every(({ failed }) => failed > 0);
  });
  await until('the broker has refused the source', async () => {
    const { sources } = await client.call('source.list', {});
    return sources.find(({ name }) => name === 'home')?.state === 'faulty';
  });
  await until('the peer was asked again', () => peer.requests.length >= 2);
  for (const value of [planted.HTTP_TOKEN, inFile, planted.BROKER_PASSWORD])
    assert.ok(
      seen.some((text) => text.includes(value)),
      `${value} never went where it belongs`,
    );
  assert.equal(peer.requests[0]?.headers.authorization, `Bearer ${planted.CHAT_TOKEN}`);

  const said: string[] = [];
  const told = (value: unknown): void => void said.push(JSON.stringify(value));
  for (const name of ['http', 'filed', 'lamp', 'say'])
    told(await client.call('output.show', { plugin: sender, output: name }));
  told(await client.call('output.list', {}));
  told(await client.call('source.list', {}));
  told(await client.call('service.status', { plugin: sender, wait: true }));
  told(await client.call('service.state', { plugin: sender }));
  told(await client.call('plugin.show', { plugin: sender }));
  told(await client.call('plugin.list', {}));
  told(await client.call('timeline.read', { plugin: sender }));
  told(await client.call('event.explain', { plugin: sender }));
  told(await client.call('log.read', { plugin: sender }));
  told(await client.call('log.read', {}));
  told(await client.call('daemon.status', {}));
  told(await client.call('config.reload', {}));
  told(await client.call('deadLetter.list', { plugin: sender }));
  daemon.signal('SIGTERM');
  await daemon.ended;
  said.push(daemon.log());
  for (const value of [...Object.values(planted), inFile]) {
    for (const text of said) assert.ok(!text.includes(value), `${value} is in ${text.slice(0, 300)}`);
    for (const [path, bytes] of filesBelow(daemon.folder)) assert.ok(!bytes.includes(value), `${value} is in ${path}`);
  }
});

test('plugin.list says which variable goes to which host, and nagaya check says it before anything is loaded', async (t) => {
  const auth = { header: 'authorization', env: 'HTTP_TOKEN' };
  const verify = { scheme: 'github', secretEnv: ['HOOK_SECRET'] };
  const { client, folders } = await outputLab(t, {
    sources: [{ name: 'github', type: 'webhook', ingress: 'in', kind: 'do', verify }],
    outputs: [
      { name: 'http', type: 'http', url: 'https://chat.example:8443/hooks/1?x=1', auth },
      { name: 'lamp', type: 'mqtt', url: 'mqtts://broker.example', topic: 'lamp', auth: { env: 'BROKER_PASSWORD' } },
      { name: 'open', type: 'http', url: 'https://open.example/' },
    ],
  });
  const expected = [
    { variable: 'HOOK_SECRET', usedBy: 'source github', goesTo: null },
    { variable: 'HTTP_TOKEN', usedBy: 'output http', goesTo: 'chat.example:8443' },
    { variable: 'BROKER_PASSWORD', usedBy: 'output lamp', goesTo: 'broker.example' },
  ];
  const { plugins } = await client.call('plugin.list', {});
  assert.deepEqual(plugins.find(({ id }) => id === sender)?.credentials, expected);
  const checked = await nagaya(t, ['check', folders.sender, '--json']);
  assert.deepEqual((JSON.parse(checked.stdout) as { credentials: unknown }).credentials, expected);
  const read = await nagaya(t, ['check', folders.sender]);
  assert.match(read.stdout, /HTTP_TOKEN goes to chat\.example:8443 \(output http\)/);
  assert.match(read.stdout, /HOOK_SECRET verifies what comes \(source github\)/);
});
