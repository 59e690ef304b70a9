// Outputs of type http: a real daemon sends to a local server that refuses, fails, is slow and redirects.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { belowUrl } from '../../protocol/edge/below-url.ts';
import { outputLab, sender } from '../labs/output-lab.ts';
import { until } from '../labs/until.ts';

interface Request {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

interface Receiver {
  readonly url: string;
  readonly requests: Request[];
}

async function receiver(
  t: TestContext,
  answer: (request: Request, response: ServerResponse, count: number) => void = (_request, response) => response.end(),
): Promise<Receiver> {
  const requests: Request[] = [];
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const { method, url, headers } = incoming;
      const request = { method, url, headers, body: JSON.parse(Buffer.concat(chunks).toString()) as unknown };
      requests.push(request);
      answer(request, response, requests.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/hooks`, requests };
}

const httpOutput = (url: string, more: object = {}): object => ({ name: 'notify', type: 'http', url, ...more });
const secret = 'planted-credential-8c1f';

test('a command is one request, with its id as the key, its path below the URL, and the credential', async (t) => {
  const { url, requests } = await receiver(t);
  const auth = { header: 'authorization', prefix: 'Bearer ', env: 'HOOK_TOKEN' };
  const { send, output, client, daemon, state } = await outputLab(t, {
    outputs: [httpOutput(url, { auth })],
    env: { HOOK_TOKEN: secret },
  });
  const [first, second] = (await send(
    ['notify', { text: 'hello' }],
    ['notify', { text: 'deep' }, { path: '/rooms/7?quiet=1' }],
  )) as string[];
  await until('both have arrived', async () => (await output('notify')).sent === 2);
  assert.deepEqual(
    requests.map(({ method, url: path, headers, body }) => [
      method,
      path,
      headers['idempotency-key'],
      headers.authorization,
      headers['content-type'],
      body,
    ]),
    [
      ['POST', '/hooks', first, `Bearer ${secret}`, 'application/json', { text: 'hello' }],
      ['POST', '/hooks/rooms/7?quiet=1', second, `Bearer ${secret}`, 'application/json', { text: 'deep' }],
    ],
  );
  // Nobody else has seen it.
  for (const told of [
    await client.call('output.show', { plugin: sender, output: 'notify' }),
    await client.call('service.status', { plugin: sender }),
    await client.call('plugin.show', { plugin: sender }),
    await client.call('timeline.read', { plugin: sender }),
    await state(sender),
    daemon.log(),
  ])
    assert.ok(!JSON.stringify(told).includes(secret));
});

test('what fails for a while is tried again under the same key, and Retry-After is honoured', async (t) => {
  const times: number[] = [];
  const { url, requests } = await receiver(t, (_request, response, count) => {
    times.push(performance.now());
    if (count === 1) response.writeHead(429, { 'retry-after': '2' });
    response.end();
  });
  const { send, output } = await outputLab(t, { outputs: [httpOutput(url)] });
  await send(['notify', 1]);
  await until('it has arrived', async () => (await output('notify')).sent === 1, 30_000);
  assert.equal(requests[0]?.headers['idempotency-key'], requests[1]?.headers['idempotency-key']);
  assert.ok((times[1] ?? 0) - (times[0] ?? 0) >= 1900, 'it came before the receiver wanted it');
  assert.equal((await output('notify')).failed, 1);
});

test('one bad key holds up nobody else, and each key keeps its order', async (t) => {
  const { url, requests } = await receiver(t, ({ body }, response) => {
    if ((body as { bad?: boolean }).bad === true) response.writeHead(503);
    response.end();
  });
  const { send, output } = await outputLab(t, { outputs: [httpOutput(url)] });
  await send(
    ['notify', { bad: true }, { key: 'bad' }],
    ['notify', { behind: true }, { key: 'bad' }],
    ...Array.from({ length: 10 }, (_, n) => ['notify', { n }, { key: 'good' }]),
  );
  await until('the good ones have arrived', async () => (await output('notify')).sent === 10);
  assert.deepEqual(
    requests.flatMap(({ body }) => ('n' in (body as object) ? [(body as { n: number }).n] : [])),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
  assert.ok(!requests.some(({ body }) => 'behind' in (body as object)), 'a command overtook one of its own key');
  assert.equal((await output('notify')).pending, 2);
});

test('refusals and redirects are final, and a receiver that does not answer is tried again', async (t) => {
  const { url } = await receiver(t, ({ url: path }, response) => {
    if (path === '/hooks/moved') response.writeHead(302, { location: 'http://127.0.0.1:1/elsewhere' });
    if (path === '/hooks/refused') response.writeHead(400);
    if (path !== '/hooks/silent') response.end();
  });
  const { send, output, client } = await outputLab(t, { outputs: [httpOutput(url, { timeoutMs: 200 })] });
  await send(
    ['notify', 1, { path: 'moved', key: 'a' }],
    ['notify', 2, { path: 'refused', key: 'b' }],
    ['notify', 3, { path: '../outside', key: 'c' }],
    ['notify', 4, { path: 'silent', key: 'd' }],
  );
  await until('three are dead', async () => (await output('notify')).deadLetters === 3);
  await until('the fourth is tried again', async () => (await output('notify')).failed >= 4);
  const { deadLetters, pending } = await client.call('output.show', { plugin: sender, output: 'notify' });
  assert.deepEqual(deadLetters.map(({ path, error }) => [path, error.code]).sort(), [
    ['../outside', 'invalid_request'],
    ['moved', 'output_refused'],
    ['refused', 'output_refused'],
  ]);
  assert.match(deadLetters.find(({ path }) => path === 'moved')?.error.message ?? '', /Redirects are not followed/);
  assert.deepEqual(
    pending.map(({ error }) => error),
    [{ code: 'output_unreachable', message: 'The receiver did not answer within 200 ms.' }],
  );
});

test('a connection that its receiver gave up meanwhile is no failure: the command goes over another one', async (t) => {
  const used = new WeakSet();
  const { url, requests } = await receiver(t, (_request, response) => {
    const { socket } = response;
    if (socket === null || used.has(socket)) {
      socket?.destroy();
      return;
    }
    used.add(socket);
    response.end();
  });
  const { send, output } = await outputLab(t, { outputs: [httpOutput(url)] });
  await send(['notify', 1], ['notify', 2]);
  await until('both are delivered', async () => (await output('notify')).sent === 2);
  assert.equal((await output('notify')).failed, 0);
  const keys = new Map(requests.map(({ headers, body }) => [headers['idempotency-key'], body]));
  assert.deepEqual([...keys.values()], [1, 2]);
});

test('of a long answer the status is enough, and one that is cut off is no answer', async (t) => {
  const { url, requests } = await receiver(t, (_request, response, count) => {
    response.writeHead(200, { 'content-length': '10000000' });
    if (count === 1) response.write('x', () => response.socket?.destroy());
    else response.write('x'.repeat(200_000));
  });
  const { send, output } = await outputLab(t, { outputs: [httpOutput(url)] });
  await send(['notify', 1]);
  await until('it is delivered', async () => (await output('notify')).sent === 1);
  assert.equal((await output('notify')).failed, 1);
  assert.equal(requests.length, 2);
});

test('a credential that is missing is a visible fault, and a file of the operator is read at each attempt', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'nagaya-credential-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'token');
  const { url, requests } = await receiver(t);
  const { send, output, client } = await outputLab(t, {
    outputs: [httpOutput(url, { auth: { header: 'x-token', env: 'HOOK_TOKEN' } })],
    config: {
      plugins: { overrides: { [sender]: { outputs: { notify: { auth: { header: 'x-token', env: { file } } } } } } },
    },
  });
  await send(['notify', 1]);
  await until('the fault is shown', async () => (await output('notify')).state === 'faulty');
  assert.equal((await output('notify')).lastError?.code, 'credential_missing');
  writeFileSync(file, `${secret}\n`);
  chmodSync(file, 0o600);
  await client.call('output.retry', { plugin: sender, output: 'notify' });
  await until('it has arrived', async () => (await output('notify')).sent === 1);
  assert.equal(requests[0]?.headers['x-token'], secret);
  assert.equal((await output('notify')).state, 'open');
});

test('a path leads nowhere but below the URL', () => {
  const base = 'https://chat.example:8443/hooks/1?token=a';
  const fine: [string | undefined, string][] = [
    [undefined, base],
    ['rooms/7', 'https://chat.example:8443/hooks/1/rooms/7?token=a'],
    ['//evil.example/x', 'https://chat.example:8443/hooks/1/evil.example/x?token=a'],
    ['https://evil.example/', 'https://chat.example:8443/hooks/1/https://evil.example/?token=a'],
    ['a?b=c', 'https://chat.example:8443/hooks/1/a?b=c'],
    ['@evil.example', 'https://chat.example:8443/hooks/1/@evil.example?token=a'],
  ];
  for (const [path, url] of fine) assert.deepEqual(belowUrl(base, path), { ok: true, url });
  for (const path of [
    '..',
    'a/../..',
    '%2e%2e/x',
    'a/.%2E',
    'a\\b',
    '%5c..',
    'a%2f..',
    'x#y',
    'a b',
    'a\nb',
    '%',
    './a',
  ])
    assert.equal(belowUrl(base, path).ok, false, path);
});
