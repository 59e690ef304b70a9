// Every operation of the table has its HTTP route, and takes its parameters from path, query and body.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Handlers } from '../../daemon/operations/caller.ts';
import { HostError } from '../../protocol/errors.ts';
import { type OperationName, operationNames, operations } from '../../protocol/operations.ts';
import { startControl } from '../labs/control-lab.ts';
import { ask } from '../labs/http-client.ts';

/** Says which operation was called, with what. */
const echo = Object.fromEntries(
  operationNames.map((name) => [name, (params: unknown) => ({ name, params })]),
) as unknown as Partial<Handlers>;

const needed: Partial<Record<OperationName, object>> = {
  'plugin.load': { path: '/x' },
  'store.backup': { path: '/x' },
  'ingress.deliver': { event: { ingress: 'a', kind: 'b' } },
  'worker.create': { intent: 'x' },
  'worker.input': { content: 'x' },
};

test('every operation of the table answers at its method and path, with the parameters of its path', async (t) => {
  const { path } = await startControl(t, { handlers: echo });
  for (const name of operationNames) {
    const { http, stream } = operations[name];
    if (stream === true) continue;
    const answer = await ask(
      path,
      http.method,
      http.path.replaceAll(/\{\w+\}/g, 'some.id'),
      http.method === 'POST' ? { body: needed[name] ?? {} } : {},
    );
    assert.equal(answer.status, 200, `${name}: ${answer.text}`);
    assert.equal(answer.json['name'], name);
    assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8');
    assert.equal(answer.headers['cache-control'], 'no-store');
    const inPath = [...http.path.matchAll(/\{(\w+)\}/g)].map((match) => [match[1], 'some.id']);
    const params = answer.json['params'] as Record<string, unknown>;
    for (const [key, value] of inPath) assert.equal(params[key ?? ''], value);
  }
});

test('the texts of a query become numbers, booleans and lists where the operation takes such', async (t) => {
  const { path } = await startControl(t, { handlers: echo });
  const params = async (url: string): Promise<unknown> => {
    const { json, text } = await ask(path, 'GET', url);
    assert.ok('params' in json, text);
    return json['params'];
  };
  assert.deepEqual(await params('/api/plugins/a.b/timeline?after=7&limit=3'), { plugin: 'a.b', after: 7, limit: 3 });
  for (const [text, wait] of [
    ['wait=true', true],
    ['wait=1', true],
    ['wait', true],
    ['wait=false', false],
    ['wait=0', false],
    ['', false],
  ] as const) {
    assert.deepEqual(await params(`/api/services/p?${text}`), { plugin: 'p', wait });
  }
  assert.deepEqual(await params('/api/plugins/a%2Eb'), { plugin: 'a.b' });
  assert.deepEqual(
    await params('/api/logs?plugin=123'),
    { plugin: '123', limit: 100, follow: false },
    'a text stays a text',
  );
});

test('what a query or body gets wrong is refused by the path of the field', async (t) => {
  const { path } = await startControl(t, { handlers: echo });
  const cases: [method: string, url: string, body: unknown, field: string][] = [
    ['GET', '/api/plugins/p/timeline?limit=many', undefined, 'limit'],
    ['GET', '/api/plugins/p/timeline?limit=1e3', undefined, 'limit'],
    ['GET', '/api/plugins/p/timeline?limit=1&limit=2', undefined, 'limit'],
    ['GET', '/api/plugins/p/timeline?lmit=1', undefined, 'lmit'],
    ['GET', '/api/services/p?wait=perhaps', undefined, 'wait'],
    ['GET', '/api/plugins/UPPER', undefined, 'plugin'],
    ['GET', '/api/plugins/p?plugin=q', undefined, 'plugin'],
    ['POST', '/api/tools/p/t', { tool: 'u' }, 'tool'],
    ['POST', '/api/tools/p/t', { timeoutMs: '5' }, 'timeoutMs'],
    ['POST', '/api/plugins', {}, 'path'],
  ];
  for (const [method, url, body, field] of cases) {
    const { status, json, text } = await ask(path, method, url, { body });
    assert.equal(status, 400, `${url} ${text}`);
    assert.equal(json['code'], 'invalid_request');
    assert.deepEqual(
      (json['details'] as { issues: { path: string }[] }).issues.map((issue) => issue.path),
      [field],
      url,
    );
  }
});

test('a request that names its whole address, as to a proxy, means the path in it', async (t) => {
  const { path } = await startControl(t, { handlers: echo });
  const { json } = await ask(path, 'GET', 'http://localhost:80/api/plugins/p/timeline?limit=3');
  assert.deepEqual(json['params'], { plugin: 'p', after: 0, limit: 3 });
});

test('a parameter of the path may be repeated in the body, if it is the same', async (t) => {
  const { path } = await startControl(t, { handlers: echo });
  const { json } = await ask(path, 'POST', '/api/tools/p/t', {
    body: { plugin: 'p', tool: 't', input: { plugin: 'q' } },
  });
  assert.deepEqual(json['params'], { plugin: 'p', tool: 't', input: { plugin: 'q' } });
});

test('a path that nothing has is not found, and a method that a path does not take is told which it takes', async (t) => {
  const { path } = await startControl(t, { handlers: echo });
  for (const url of [
    '/',
    '/api',
    '/api/',
    '/api/plugins/',
    '/api/plugins//timeline',
    '/api/plugins/a/b/c',
    '/API/plugins',
    '*',
    `/api/${'x'.repeat(5000)}`,
  ]) {
    const { status, json } = await ask(path, 'GET', url);
    assert.deepEqual([status, json['code']], [404, 'method_not_found'], url);
    assert.ok(JSON.stringify(json).length < 1000);
  }
  for (const [method, url, allow] of [
    ['PUT', '/api/plugins', 'GET, HEAD, POST'],
    ['POST', '/api/ping', 'GET, HEAD'],
    ['OPTIONS', '/api/plugins/p', 'GET, HEAD, DELETE'],
    ['DELETE', '/api/openapi.json', 'GET, HEAD'],
  ] as const) {
    const { status, headers, json } = await ask(path, method, url);
    assert.deepEqual([status, json['code']], [405, 'method_not_found'], url);
    assert.deepEqual(new Set(String(headers['allow']).split(', ')), new Set(allow.split(', ')));
  }
  assert.equal((await ask(path, 'GET', '/api/plugins/%zz')).status, 400);
});

test('HEAD is GET without a body', async (t) => {
  const { path } = await startControl(t, { handlers: echo });
  const get = await ask(path, 'GET', '/api/ping');
  const head = await ask(path, 'HEAD', '/api/ping');
  assert.deepEqual([head.status, head.text, head.headers['content-length']], [200, '', get.headers['content-length']]);
  assert.equal((await ask(path, 'HEAD', '/api/events')).headers['content-type'], 'text/event-stream; charset=utf-8');
});

test('a refusal is a problem document with the status and code of the registry', async (t) => {
  const { path } = await startControl(t, {
    handlers: {
      ...echo,
      'service.start': () => {
        throw new HostError('start_failed', 'It threw.', { cause: { message: 'no' } });
      },
      'ingress.publish': () => {
        throw new HostError('queue_full', 'The queue is full.', { capacity: 1, retryAfterMs: 2300 });
      },
      'service.stop': () => Promise.reject(new Error('/secret/path')),
    },
  });
  const failed = await ask(path, 'POST', '/api/services/p/start');
  assert.equal(failed.headers['content-type'], 'application/problem+json');
  assert.deepEqual(failed.json, {
    type: 'urn:nagaya:error:start_failed',
    title: "The plugin's module could not be imported, lacks what the manifest promises, or failed to start.",
    status: 502,
    detail: 'It threw.',
    code: 'start_failed',
    retryable: false,
    details: { cause: { message: 'no' } },
  });
  assert.equal(failed.status, 502);
  const full = await ask(path, 'POST', '/api/services/p/events', { body: { event: {} } });
  assert.deepEqual(
    [full.status, full.headers['retry-after'], full.json['code'], full.json['retryable']],
    [429, '3', 'queue_full', true],
  );
  const fault = await ask(path, 'POST', '/api/services/p/stop', { body: {} });
  assert.deepEqual([fault.status, fault.json['code']], [500, 'internal']);
  assert.ok(!fault.text.includes('secret'));
});
