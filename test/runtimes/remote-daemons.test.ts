// Two real daemons, of which one shows a runtime of the other: over the network, with a token from a file.
import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { HostError } from '../../protocol/errors.ts';
import type { Finding } from '../../daemon/cli/doctor/finding.ts';
import { openStream } from '../labs/browser-lab.ts';
import { nagaya } from '../labs/cli-process.ts';
import { ask } from '../labs/http-client.ts';
import { farReadToken, farToken, freePort, startFar, startNear } from '../labs/remote-lab.ts';
import { startTestDaemon } from '../labs/test-daemon.ts';
import { untilAnswer } from '../labs/until.ts';

const refused = (code: string) => (error: HostError) => {
  assert.equal(error.code, code, error.message);
  return true;
};

test('workers of another daemon do here all that workers do', async (t) => {
  const port = await freePort();
  const [far, near] = await Promise.all([startFar(t, port), startNear(t, port)]);
  const { client } = near;
  const { runtimes } = await client.call('runtime.list', {});
  const found = runtimes.find(({ runtimeId }) => runtimeId === 'far');
  assert.deepEqual([found?.kind, found?.status, found?.displayName], ['remote', 'running', 'Workers of far']);
  const shown = await client.call('runtime.show', { runtimeId: 'far' });
  assert.ok(shown.profiles.some(({ name }) => name === 'builtin:default'));

  const request = { runtimeId: 'far', intent: 'to be spoken with', requestKey: 'once' };
  const made = await client.call('worker.create', request);
  assert.equal(made.runtimeId, 'far');
  assert.equal((await client.call('worker.create', request)).workerId, made.workerId);
  const { workerId } = made;
  const worker = { runtimeId: 'far', workerId };
  assert.equal((await far.client.call('worker.show', { runtimeId: 'backend-internal', workerId })).intent, made.intent);
  const { eventId } = await client.call('worker.input', { ...worker, content: 'hello', inputId: 'i-1' });
  assert.equal((await client.call('worker.input', { ...worker, content: 'hello', inputId: 'i-1' })).eventId, eventId);
  await untilAnswer(
    'an answer',
    () => client.call('worker.transcript', worker),
    ({ items }) => items.some(({ role, status }) => role === 'worker' && status === 'done'),
  );
  const first = await client.call('worker.events', worker);
  assert.equal(first.events[0]?.type === 'snapshot' && first.events[0].worker.runtimeId, 'far');
  await client.call('worker.input', { ...worker, content: 'again' });
  const more = await client.call('worker.events', { ...worker, after: first.next, waitMs: 30_000 });
  assert.ok(more.events.length > 0 && more.events.every(({ type }) => type !== 'snapshot'));
  assert.equal((await client.call('worker.cancel', worker)).runtimeId, 'far');
  assert.deepEqual(
    (await client.call('worker.list', {})).workers.map((each) => [each.runtimeId, each.workerId]),
    [['far', workerId]],
  );
  assert.equal((await client.call('worker.explain', worker)).explanation.length > 0, true);
  assert.equal((await client.call('worker.stop', worker)).state, 'stopped');

  await assert.rejects(() => client.call('worker.show', { ...worker, workerId: 'none' }), refused('worker_not_found'));
  await assert.rejects(() => client.call('worker.input', { ...worker, content: 'x' }), refused('worker_stopped'));
  await assert.rejects(() => client.call('worker.state', worker), refused('unsupported_operation'));
  await assert.rejects(
    () => client.call('worker.create', { ...request, requestKey: 'other', profile: 'no:such' }),
    refused('profile_not_found'),
  );
});

test('a stream of events goes on behind its cursor when the other daemon was killed and is back', async (t) => {
  const port = await freePort();
  const far = await startFar(t, port);
  const near = await startNear(t, port);
  const { workerId } = await near.client.call('worker.create', { runtimeId: 'far', intent: 'to be followed' });
  const worker = { runtimeId: 'far', workerId };
  const stream = await openStream(t, near.daemon.socket, `/api/runtimes/far/workers/${workerId}/events`);
  // What was said before a stream was opened again may stand in its snapshot.
  const said = (): string[] =>
    stream
      .events()
      .flatMap(({ data }) => (data['items'] ?? [data['item'] ?? {}]) as { content?: string }[])
      .flatMap(({ content }) => content ?? []);
  const sent = async (content: string): Promise<void> => {
    await untilAnswer(
      'the input',
      () => near.client.call('worker.input', { ...worker, content, inputId: content }).catch(() => undefined),
      (answer) => answer !== undefined,
    );
    await untilAnswer(
      `what came of ${content}`,
      () => Promise.resolve(said()),
      (texts) => texts.includes(content),
    );
  };
  await sent('before');
  far.daemon.signal('SIGKILL');
  await far.daemon.ended;
  await assert.rejects(() => near.client.call('worker.show', worker), refused('runtime_unreachable'));
  const listed = await near.client.call('worker.list', {});
  assert.deepEqual(listed.leftOut.unavailable, [{ runtimeId: 'far', code: 'runtime_unreachable' }]);
  await startFar(t, port, { folder: far.daemon.folder });
  await sent('after');
  const snapshots = stream.events().filter(({ event }) => event === 'snapshot');
  assert.ok(
    snapshots.length >= 1 &&
      snapshots.every(({ data }) => (data['worker'] as object & { runtimeId: string }).runtimeId === 'far'),
  );
  assert.deepEqual(
    [...new Set(said())].filter((text) => text === 'before' || text === 'after'),
    ['before', 'after'],
  );
});

test('a token that is missing, open to others, wrong, or for reading says so, and is read again on demand', async (t) => {
  const port = await freePort();
  const [, near] = await Promise.all([
    startFar(t, port),
    startNear(t, port, { token: 'wrong-token-0123456789-0123', config: { log: { level: 'trace' } } }),
  ]);
  const { client, tokenFile } = near;
  const show = () => client.call('runtime.workers', { runtimeId: 'far' });
  const because = (reason: string) => (error: HostError) => {
    assert.deepEqual([error.code, error.details['reason']], ['runtime_unauthorized', reason], error.message);
    assert.doesNotMatch(JSON.stringify(error.toWire()), /0123456789|127\.0\.0\.1/);
    return true;
  };
  await assert.rejects(show, because('token'));
  const listed = (await client.call('runtime.list', {})).runtimes.find(({ runtimeId }) => runtimeId === 'far');
  assert.deepEqual([listed?.status, listed?.diagnostics[0]?.code], ['unavailable', 'runtime_unauthorized']);

  writeFileSync(tokenFile, farReadToken);
  await client.call('config.reload', {});
  assert.deepEqual((await show()).workers, []);
  await assert.rejects(() => client.call('worker.create', { runtimeId: 'far', intent: 'x' }), because('forbidden'));

  writeFileSync(tokenFile, farToken);
  chmodSync(tokenFile, 0o644);
  await client.call('config.reload', {});
  await assert.rejects(show, because('tokenFile'));
  chmodSync(tokenFile, 0o600);
  await client.call('config.reload', {});
  assert.equal((await client.call('worker.create', { runtimeId: 'far', intent: 'x' })).runtimeId, 'far');
  assert.doesNotMatch(near.daemon.log() + JSON.stringify(await client.call('daemon.status', {})), /0123456789-0123/);
});

test("the browser's view of it holds no address, and what the other daemon's services do", async (t) => {
  const port = await freePort();
  const nearPort = await freePort();
  const http = { port: nearPort, token: 'near-token-abcdefgh-abcdefgh' };
  const [, near] = await Promise.all([
    startFar(t, port),
    startNear(t, port, { entry: { runtime: 'local' }, config: { http } }),
  ]);
  const place = { host: '127.0.0.1', port: nearPort };
  const headers = { authorization: `Bearer ${http.token}` };
  const { runtimes } = await near.client.call('runtime.list', {});
  const local = runtimes.find(({ runtimeId }) => runtimeId === 'far');
  assert.deepEqual([local?.displayName, local?.capabilities.canCreateWorker], ['Services of far', false]);
  const answers = [
    await ask(place, 'GET', '/api/runtimes', { headers }),
    await ask(place, 'GET', '/api/runtimes/far', { headers }),
    await ask(place, 'GET', '/api/workers', { headers }),
    await ask(place, 'POST', '/api/runtimes/far/workers', { headers, body: { intent: 'x' } }),
    await ask(place, 'GET', '/api/runtimes/far/workers/none', { headers }),
  ];
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200, 501, 404],
  );
  for (const { text } of answers) assert.doesNotMatch(text, new RegExp(`${String(port)}|127\\.0\\.0|far-token|http:`));
});

test('nobody there: other runtimes answer as always', async (t) => {
  const near = await startNear(t, await freePort());
  await assert.rejects(
    () => near.client.call('runtime.workers', { runtimeId: 'far' }),
    (error: HostError) => {
      assert.deepEqual(
        [error.code, error.retryable, error.details['cause']],
        ['runtime_unreachable', true, 'ECONNREFUSED'],
      );
      return true;
    },
  );
  await near.client.call('worker.create', { runtimeId: 'backend-internal', intent: 'here' });
  const { workers, leftOut } = await near.client.call('worker.list', {});
  assert.equal(workers.length, 1);
  assert.deepEqual(leftOut.unavailable, [{ runtimeId: 'far', code: 'runtime_unreachable' }]);
});

test('the doctor says which daemon does not answer, why, and what to do', async (t) => {
  const port = await freePort();
  await startFar(t, port);
  const url = `http://127.0.0.1:${String(await freePort())}`;
  const { daemon } = await startNear(t, port, {
    token: 'wrong-token-0123456789-0123',
    entry: [{ id: 'refusing' }, { id: 'away', url }],
  });
  const { stdout } = await nagaya(t, ['doctor', '--json', '--socket', daemon.socket]);
  const { findings } = JSON.parse(stdout) as { findings: Finding[] };
  const [refusing, away, ...others] = findings.filter(({ check }) => check === 'remote runtimes');
  assert.deepEqual(others, []);
  assert.match(refusing?.message ?? '', /refusing.*token/);
  assert.match(refusing?.remedy ?? '', /`tokenFile`.*`nagaya reload-config`/);
  assert.match(away?.message ?? '', /away cannot be reached \(ECONNREFUSED\)/);
  assert.match(away?.remedy ?? '', /Start that daemon, or correct `url`/);
  assert.doesNotMatch(stdout, /0123456789-0123/);
});

test('two daemons that show each other do not ask in a circle', async (t) => {
  const [onePort, twoPort] = [await freePort(), await freePort()];
  const http = (port: number) => ({ port, token: farToken });
  const one = await startNear(t, twoPort, { config: { http: http(onePort) } });
  const two = await startTestDaemon(t, {
    config: {
      http: http(twoPort),
      limits: { runtimeMs: 30_000 },
      runtimes: [{ id: 'far', url: `http://127.0.0.1:${String(onePort)}`, tokenFile: one.tokenFile }],
    },
  });
  const other = await two.connect();
  const made = await one.client.call('worker.create', { runtimeId: 'far', intent: 'over there' });
  assert.equal(
    (await other.call('worker.show', { runtimeId: 'backend-internal', workerId: made.workerId })).intent,
    'over there',
  );
  assert.deepEqual(
    (await one.client.call('worker.list', {})).workers.map(({ runtimeId }) => runtimeId),
    ['far'],
  );
  assert.deepEqual(
    (await other.call('worker.list', {})).workers.map(({ runtimeId }) => runtimeId),
    ['backend-internal'],
  );
});
