// However a hosted server misbehaves: its caller gets a typed error in time, it comes back, and nothing is left behind.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HostError } from '../../protocol/errors.ts';
import { plugin, startServer } from '../labs/hosted-lab.ts';
import { isGone } from '../labs/process-watch.ts';
import { until } from '../labs/until.ts';

test('a server that dies in a call fails that call, comes back, and is stopped whole', async (t) => {
  const { call, refusal, pid, client } = await startServer(t, 'leaves children');
  const first = await pid();
  for (const deed of ['die', 'kill', 'flood', 'garbage', 'long line']) {
    const error = await refusal(deed, {}, 20_000);
    assert.equal(error.code, 'tool_crashed', deed);
    assert.equal(await call('echo', { message: 'back' }), 'back');
  }
  const last = await pid();
  assert.notEqual(last, first);
  await client.call('service.stop', { plugin });
  await until('its process is gone', () => isGone(last) && isGone(first));
  const stopped = await refusal('echo');
  assert.equal(stopped.code, 'service_stopped');
  await client.call('service.start', { plugin });
  assert.equal(await call('echo', { message: 'again' }), 'again');
});

test('a server that grows or opens files without end is ended at its bounds', async (t) => {
  const { refusal, call, client } = await startServer(t, 'none', {}, { limits: { rssMb: 256, descriptors: 400 } });
  for (const deed of ['grow', 'descriptors']) {
    assert.equal((await refusal(deed, {}, 20_000)).code, 'tool_crashed', deed);
    assert.equal(await call('echo', { message: 'back' }), 'back');
  }
  const { entries } = await client.call('timeline.read', { plugin });
  const story = JSON.stringify(entries);
  assert.match(story, /rss/);
  assert.match(story, /descriptors/);
});

test('a call ends at its deadline, and a server that answers nothing any more is ended', async (t) => {
  const { refusal, call, pid } = await startServer(t, 'ignores signals');
  const first = await pid();
  assert.equal((await refusal('hang', {}, 200)).code, 'tool_timeout');
  assert.equal(await pid(), first, 'one that answers a ping goes on');
  assert.equal((await refusal('block', {}, 200)).code, 'tool_timeout');
  await until('it is ended', () => isGone(first));
  assert.equal(await call('echo', { message: 'back' }, 30_000), 'back');
});

test('progress extends a deadline, up to its bound', async (t) => {
  const { refusal } = await startServer(t, 'none', { timeouts: { callMs: 400, mostMs: 1500 } });
  const beganMs = performance.now();
  assert.equal((await refusal('progress for ever')).code, 'tool_timeout');
  const tookMs = performance.now() - beganMs;
  assert.ok(tookMs > 1000, `${String(tookMs)} ms`);
});

test('odd answers are refused or ignored, and hurt nobody', async (t) => {
  const { refusal, call } = await startServer(t);
  assert.equal((await refusal('huge')).code, 'payload_too_large');
  assert.equal((await refusal('foreign id', {}, 300)).code, 'tool_timeout');
  assert.equal((await refusal('no result', {}, 300)).code, 'tool_timeout');
  assert.equal(await call('twice'), 'first');
  assert.equal(await call('odd name/with slash'), 'odd', 'names outside our form are mapped');
  assert.equal((await refusal('none')).code, 'tool_not_found');
});

test('a server sees named variables alone, and is refused a model, a person and folders', async (t) => {
  const { call, client } = await startServer(t, 'none', {}, { env: ['NAMED'] });
  const env = JSON.parse(await call('env')) as Record<string, string>;
  assert.equal(env['NAMED'], 'yes');
  assert.equal(env['UNNAMED'], undefined);
  for (const method of ['sampling/createMessage', 'elicitation/create', 'roots/list']) {
    assert.match(await call('ask', { method }), /-32601[^]*unsupported_operation/);
    const { entries } = await client.call('timeline.read', { plugin });
    assert.ok(
      entries.some(({ event, message }) => event === 'mcp_request_refused' && message.includes(method)),
      method,
    );
  }
  await assert.rejects(
    client.call('ingress.publish', { plugin, event: { ingress: 'none', kind: 'none', payload: 1 } }),
    (error: unknown) => error instanceof HostError && error.code === 'unsupported_operation',
  );
});

test('a change of the list of a hosted server is taken over', async (t) => {
  const { client, call } = await startServer(t);
  await call('list');
  await until('the new tool is listed', async () =>
    (await client.call('tool.list', { plugin })).tools.some(({ name }) => name === 'more'),
  );
});

test('a server that floods its standard error is held to its budget', async (t) => {
  const { call, client } = await startServer(t, 'none', {}, { limits: { logBytesPerSecond: 4096 } });
  assert.equal(await call('stderr'), 'loud');
  await until('lines were dropped', async () => {
    const { log } = await client.call('service.status', { plugin });
    return log.droppedLines > 0;
  });
  assert.equal(await call('echo', { message: 'fine' }), 'fine');
});
