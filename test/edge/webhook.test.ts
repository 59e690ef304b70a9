// Webhooks as a sender and an operator meet them: the real daemon, real HTTP.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { githubHeaders, githubSource, pluginId, secret, send, webhookLab } from '../labs/webhook-lab.ts';
import { untilAnswer } from '../labs/until.ts';

const open = { name: 'open', type: 'webhook', ingress: 'pushes', kind: 'push', verify: { scheme: 'none' } };
const body = '{"ref":"main"}';

test('a signed webhook is accepted once, a repetition is a duplicate, an undeclared kind is ignored', async (t) => {
  const lab = await webhookLab(t, { sources: [githubSource] });
  const url = await lab.url('github');
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/hooks\/test\.hooks\/github$/);

  const first = await send(url, body, githubHeaders(body, { 'x-github-delivery': 'd-1' }));
  assert.equal(first.status, 202);
  assert.deepEqual(first.json(), { accepted: true, correlationId: 'd-1' });
  const again = await send(url, body, githubHeaders(body, { 'x-github-delivery': 'd-1' }));
  assert.equal(again.status, 202);
  assert.deepEqual(again.json(), { accepted: true, correlationId: 'd-1', duplicate: true });
  const ping = await send(url, body, githubHeaders(body, { 'x-github-event': 'ping', 'x-github-delivery': 'd-2' }));
  assert.equal(ping.status, 202);
  assert.deepEqual(ping.json(), { ignored: true });

  await untilAnswer('the answer fits', lab.handled, (count) => count === 1);
  const { counters, state, lastEventAt, lastError } = await lab.source('github');
  assert.equal(state, 'open');
  assert.notEqual(lastEventAt, null);
  assert.equal(lastError, null);
  assert.deepEqual(counters, { received: 3, accepted: 1, duplicates: 1, refused: 0, ignored: 1, reconnects: 0 });
});

test('a wrong signature and an unknown path are answered alike, and the operator is told why', async (t) => {
  const lab = await webhookLab(t, { sources: [githubSource] });
  const url = await lab.url('github');
  const wrong = await send(url, body, githubHeaders(body, {}, 'another-secret'));
  const unknown = await send(url.replace('/github', '/nothing'), body, githubHeaders(body));
  const elsewhere = await send(new URL('/', url).href, body, githubHeaders(body));
  assert.equal(wrong.status, 401);
  assert.equal(wrong.headers['content-type'], 'application/problem+json');
  for (const other of [unknown, elsewhere]) {
    assert.equal(other.text, wrong.text);
    const { date: _one, ...headers } = other.headers;
    const { date: _other, ...wanted } = wrong.headers;
    assert.deepEqual(headers, wanted);
  }
  const { lastError, counters } = await lab.source('github');
  assert.equal(lastError?.code, 'unauthorized');
  assert.match(lastError?.message ?? '', /fits none of the secrets/);
  assert.equal(counters.refused, 1);
  assert.equal(await lab.handled(), 0);
});

test('either of two secrets is right while the sender changes from one to the other', async (t) => {
  const lab = await webhookLab(t, { sources: [githubSource], env: { GITHUB_SECRET_OLD: 'the-old-one' } });
  const url = await lab.url('github');
  assert.equal((await send(url, body, githubHeaders(body))).status, 202);
  assert.equal((await send(url, body, githubHeaders(body, {}, 'the-old-one'))).status, 202);
  assert.equal((await send(url, body, githubHeaders(body, {}, 'a-third'))).status, 401);
});

test('a secret that is not set is a visible fault of its source and of nothing else', async (t) => {
  const faulty = { ...githubSource, name: 'unset', verify: { scheme: 'github', secretEnv: ['NOBODY_SET_THIS'] } };
  const lab = await webhookLab(t, { sources: [githubSource, faulty] });
  const { state, lastError } = await untilAnswer(
    'the answer fits',
    () => lab.source('unset'),
    (source) => source.state === 'faulty',
  );
  assert.equal(state, 'faulty');
  assert.match(lastError?.message ?? '', /NOBODY_SET_THIS is not set/);
  const refused = await send(await lab.url('unset'), body, githubHeaders(body, {}, ''));
  assert.equal(refused.status, 503);
  assert.equal((await send(await lab.url('github'), body, githubHeaders(body))).status, 202);
});

test("answer: output gives the handler's output, and a handler that fails is a problem document", async (t) => {
  const lab = await webhookLab(t, { sources: [{ ...open, answer: 'output' }] });
  const url = `${await lab.url('open')}?one=1`;
  const answered = await send(url, '{"challenge":"x"}', { 'content-type': 'application/json' });
  assert.equal(answered.status, 200);
  const { payload, kind } = answered.json();
  assert.equal(kind, 'push');
  assert.deepEqual(payload, { body: { challenge: 'x' }, query: { one: '1' } });
  const failed = await send(url, '{"fail":true}', { 'content-type': 'application/json' });
  assert.equal(failed.status, 502);
  assert.equal(failed.json()['code'], 'dispatch_failed');
  assert.ok(!failed.text.includes('told to fail'));
});

test('what is too large is 413, another method 405, and what is no JSON 400', async (t) => {
  const lab = await webhookLab(t, { sources: [open], config: { webhooks: { port: 0, limits: { bodyBytes: 2048 } } } });
  const url = await lab.url('open');
  assert.equal((await send(url, 'x'.repeat(3000), { 'content-type': 'text/plain' })).status, 413);
  const chunked = await send(url, 'x'.repeat(3000), { 'content-type': 'text/plain', 'transfer-encoding': 'chunked' });
  assert.equal(chunked.status, 413);
  assert.equal((await send(url, '', {}, 'GET')).status, 405);
  assert.equal((await send(url, '{"a":', { 'content-type': 'application/json' })).status, 400);
  const deep = `${'['.repeat(500)}${']'.repeat(500)}`;
  assert.equal((await send(url, deep, { 'content-type': 'application/json' })).status, 400);
  assert.equal((await send(url, 'plain words', { 'content-type': 'text/plain' })).status, 202);
});

test('while a service is stopped, its source paused, or its queue full, the sender is asked to come back', async (t) => {
  const lab = await webhookLab(t, { sources: [open], service: { queue: { capacity: 1 } } });
  const url = await lab.url('open');
  const json = { 'content-type': 'application/json' };
  await lab.client.call('source.pause', { plugin: pluginId, source: 'open' });
  const paused = await send(url, body, json);
  assert.equal(paused.status, 503);
  assert.ok(Number(paused.headers['retry-after']) >= 1);
  const resumed = await lab.client.call('source.resume', { plugin: pluginId, source: 'open' });
  assert.equal(resumed.state, 'open');

  await lab.client.call('service.stop', { plugin: pluginId });
  const stopped = await send(url, body, json);
  assert.equal(stopped.status, 503);
  assert.ok(Number(stopped.headers['retry-after']) >= 1);
  await lab.client.call('service.start', { plugin: pluginId });

  const answers = await Promise.all(Array.from({ length: 6 }, () => send(url, '{"waitMs":300}', json)));
  const full = answers.filter(({ status }) => status === 503);
  assert.ok(full.length > 0, JSON.stringify(answers.map(({ status }) => status)));
  for (const answer of full) {
    assert.equal(answer.json()['code'], 'queue_full');
    assert.ok(Number(answer.headers['retry-after']) >= 1);
  }
});

test('a pause outlives the daemon', async (t) => {
  const lab = await webhookLab(t, { sources: [open] });
  await lab.url('open');
  assert.equal((await lab.client.call('source.pause', { plugin: pluginId, source: 'open' })).state, 'paused');
  lab.daemon.signal('SIGKILL');
  await lab.daemon.ended;
  const next = await webhookLab(t, { sources: [open], folder: lab.daemon.folder });
  await next.url('open');
  assert.equal((await next.source('open')).state, 'paused');
});

test('CloudEvents fill kind, id and source, in binary and in structured mode', async (t) => {
  const lab = await webhookLab(t, {
    sources: [
      { ...open, answer: 'output' },
      { ...open, name: 'plain' },
    ],
  });
  const url = await lab.url('open');
  const binary = await send(url, '{"x":1}', {
    'content-type': 'application/json',
    'ce-specversion': '1.0',
    'ce-id': 'event-1',
    'ce-source': 'a-source',
    'ce-type': 'issues',
    'ce-subject': 'caf%C3%A9',
  });
  assert.equal(binary.status, 200, binary.text);
  const told = binary.json();
  assert.equal(told['kind'], 'issues');
  assert.equal(told['source'], 'a-source');
  assert.equal(told['correlationId'], 'event-1');
  assert.deepEqual((told['payload'] as { body: unknown }).body, { x: 1 });
  assert.equal((told['payload'] as { headers: Record<string, string> }).headers['ce-subject'], 'café');

  const structured = JSON.stringify({
    specversion: '1.0',
    id: 'event 2',
    source: 'https://example.com/x',
    type: 'push',
    data: { y: 2 },
  });
  const cloud = { 'content-type': 'application/cloudevents+json; charset=utf-8' };
  const second = (await send(url, structured, cloud)).json();
  assert.equal(second['kind'], 'push');
  assert.match(String(second['source']), /^sha256:[0-9a-f]{64}$/);
  assert.deepEqual((second['payload'] as { body: unknown }).body, { y: 2 });

  const plain = await lab.url('plain');
  assert.equal((await send(plain, structured, cloud)).json()['duplicate'], undefined);
  assert.equal((await send(plain, structured, cloud)).json()['duplicate'], true);
  const other = structured.replace('"1.0"', '"0.3"');
  assert.equal((await send(plain, other, cloud)).status, 400);
  const undeclared = structured.replace('"push"', '"com.example.other"');
  assert.deepEqual((await send(plain, undeclared, cloud)).json(), { ignored: true });
});

test('no secret of a source reaches its cell', async (t) => {
  const lab = await webhookLab(t, { sources: [githubSource] });
  await send(await lab.url('github'), body, githubHeaders(body, { authorization: `Bearer ${secret}` }));
  await untilAnswer('the answer fits', lab.handled, (count) => count === 1);
  const status = await lab.client.call('service.status', { plugin: pluginId, wait: true });
  assert.ok(!JSON.stringify(status).includes(secret));
});
