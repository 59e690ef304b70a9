// A worker's events over HTTP, at the port and at the unix socket: a snapshot first, then each event in order, and
// after a cut from where the reader was.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runtimeHandlers } from '../../daemon/operations/runtime.ts';
import { workerHandlers } from '../../daemon/operations/worker.ts';
import { type Stream, openStream, runtimePath, startBrowserLab } from '../labs/browser-lab.ts';
import { startControl } from '../labs/control-lab.ts';
import { ask } from '../labs/http-client.ts';
import { runtimeLab } from '../labs/runtime-lab.ts';
import { until } from '../labs/until.ts';

const address = (workerId: string): { runtimeId: string; workerId: string } => ({
  runtimeId: 'backend-internal',
  workerId,
});
const eventsOf = (workerId: string): string => `${runtimePath}/workers/${workerId}/events`;
const types = (stream: Stream): string[] => stream.events().map(({ event }) => event);
const output = (stream: Stream): string =>
  stream
    .events()
    .filter(({ event }) => event === 'output')
    .map(({ data }) => data['text'])
    .join('');

test('a stream begins with a snapshot and tells what happens as it happens', async (t) => {
  const lab = await startBrowserLab(t);
  const { workerId } = await lab.create();
  const stream = await openStream(t, lab.place, eventsOf(workerId), { authorization: `Bearer ${lab.readToken}` });
  assert.deepEqual(
    [stream.response.statusCode, stream.response.headers['content-type']],
    [200, 'text/event-stream; charset=utf-8'],
  );
  await until('the snapshot', () => stream.events().length === 1);
  await lab.registry.input(address(workerId), { kind: 'user', content: 'hello\n\nthere' });
  await until('it runs', () => lab.program(workerId).current !== undefined);
  lab.program(workerId).current?.say('one ');
  await until('the first piece is there before the end', () => output(stream) === 'one ');
  lab.program(workerId).current?.say('two');
  lab.program(workerId).current?.end('done');
  await until('the end', () => types(stream).at(-1) === 'state' && types(stream).includes('end'));
  assert.deepEqual(types(stream), ['snapshot', 'item', 'state', 'item', 'output', 'output', 'end', 'state']);
  assert.equal(output(stream), 'one two');
  assert.equal((stream.events()[1]?.data['item'] as { content: string }).content, 'hello\n\nthere');
  assert.ok(stream.events().every(({ id, data }) => id !== undefined && id === data['cursor']));
});

test('a reader that comes back goes on behind what it has seen, and the header counts more than the address', async (t) => {
  const lab = await startBrowserLab(t);
  const { workerId } = await lab.create();
  const authorization = `Bearer ${lab.token}`;
  const first = await openStream(t, lab.place, eventsOf(workerId), { authorization });
  await lab.registry.input(address(workerId), { kind: 'user', content: 'x' });
  await until('it runs', () => lab.program(workerId).current !== undefined);
  lab.program(workerId).current?.say('seen ');
  await until('the first piece', () => output(first) === 'seen ');
  const [snapshot] = first.events();
  const seen = first.events().at(-1)?.id ?? '';
  first.response.destroy();
  lab.program(workerId).current?.say('missed ');
  const second = await openStream(t, lab.place, `${eventsOf(workerId)}?after=${String(snapshot?.id)}`, {
    authorization,
    'last-event-id': seen,
  });
  lab.program(workerId).current?.say('new');
  await until('nothing is lost and nothing comes twice', () => output(second) === 'missed new');
  assert.deepEqual(types(second), ['output', 'output']);
  const third = await openStream(t, lab.place, `${eventsOf(workerId)}?after=${String(snapshot?.id)}`, {
    authorization,
  });
  await until('by the address alone', () => output(third) === 'seen missed new');
});

test('a cursor that is foreign or too old is answered by its diagnostic and a fresh snapshot', async (t) => {
  const lab = await startBrowserLab(t, { limits: { workerEvents: 5 } });
  const { workerId } = await lab.create();
  const authorization = `Bearer ${lab.token}`;
  const first = await openStream(t, lab.place, eventsOf(workerId), { authorization });
  await until('the snapshot', () => first.events().length === 1);
  lab.program(workerId).onInput = ({ say, end }) => {
    for (let n = 0; n < 20; n += 1) say(String(n));
    end('done');
  };
  await lab.registry.input(address(workerId), { kind: 'user', content: 'x' });
  for (const [cursor, code] of [
    ['of-another', 'cursor_foreign'],
    [first.events()[0]?.id ?? '', 'cursor_expired'],
  ] as const) {
    const stream = await openStream(t, lab.place, eventsOf(workerId), { authorization, 'last-event-id': cursor });
    await until('diagnostic and snapshot', () => stream.events().length >= 2);
    const [diagnostic, snapshot] = stream.events();
    assert.deepEqual([diagnostic?.event, diagnostic?.id, diagnostic?.data['code']], ['diagnostic', undefined, code]);
    assert.equal(snapshot?.event, 'snapshot');
  }
});

test('what cannot be streamed is refused before a stream begins', async (t) => {
  const lab = await startBrowserLab(t);
  for (const [path, expected] of [
    [eventsOf('nobody'), [404, 'worker_not_found']],
    ['/api/runtimes/nowhere/workers/x/events', [404, 'runtime_not_found']],
    ['/api/runtimes/backend-internal/workers/a%20b/events', [400, 'invalid_identifier']],
  ] as const) {
    for (const method of ['GET', 'HEAD']) {
      const { status, json, headers } = await lab.ask(method, path);
      assert.deepEqual(
        [status, headers['content-type']],
        [expected[0], 'application/problem+json'],
        `${method} ${path}`,
      );
      if (method === 'GET') assert.equal(json['code'], expected[1]);
    }
  }
});

test('streams of one token are bounded, and a place is free again when one ends', async (t) => {
  const lab = await startBrowserLab(t, { http: { limits: { streams: 2 } } });
  const { workerId } = await lab.create();
  const headers = { authorization: `Bearer ${lab.token}` };
  const streams = [
    await openStream(t, lab.place, eventsOf(workerId), headers),
    await openStream(t, lab.place, eventsOf(workerId), headers),
  ];
  const { status, json } = await lab.ask('GET', eventsOf(workerId));
  assert.deepEqual(
    [status, json['code'], json['details']],
    [429, 'too_many_requests', { maximum: 2, limit: 'http.limits.streams' }],
  );
  streams[0]?.response.destroy();
  await until('one has ended', () => lab.server.status()?.streams === 1);
  const next = await openStream(t, lab.place, eventsOf(workerId), headers);
  assert.equal(next.response.statusCode, 200);
});

test('a reader that is slow is not buffered for: it gets a fresh snapshot, or is cut off', async (t) => {
  const lab = await startBrowserLab(t, {
    limits: { workerEventBytes: 64 * 1024, workerSayBytes: 16 * 1024 * 1024, transcriptBytes: 64 * 1024 },
  });
  const { workerId } = await lab.create();
  const stream = await openStream(t, lab.place, eventsOf(workerId), { authorization: `Bearer ${lab.token}` });
  await until('the snapshot', () => stream.events().length === 1);
  stream.response.pause();
  await lab.registry.input(address(workerId), { kind: 'user', content: 'x' });
  await until('it runs', () => lab.program(workerId).current !== undefined);
  const before = process.memoryUsage().arrayBuffers;
  for (let n = 0; n < 800; n += 1) {
    lab.program(workerId).current?.say('x'.repeat(16 * 1024));
    if (n % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(process.memoryUsage().arrayBuffers - before < 8 * 1024 * 1024, 'what was said is not kept for it');
  lab.program(workerId).current?.end('done');
  stream.response.resume();
  await until('it is told of the gap', () => types(stream).includes('diagnostic'));
  const at = types(stream).indexOf('diagnostic');
  assert.deepEqual([stream.events()[at]?.data['code'], types(stream)[at + 1]], ['events_dropped', 'snapshot']);

  // What is said in one turn fits its backlog, so that all of it is sent, and is more than the system's own buffers
  // take.
  const backlog = {
    workerEvents: 100,
    workerEventBytes: 4 * 1024 * 1024,
    workerSayBytes: 64 * 1024 * 1024,
    transcriptBytes: 64 * 1024,
  };
  const cutting = await startBrowserLab(t, { http: { limits: { idleMs: 300 } }, limits: backlog });
  const worker = await cutting.create();
  const never = await openStream(t, cutting.place, eventsOf(worker.workerId), {
    authorization: `Bearer ${cutting.token}`,
  });
  await until('the snapshot', () => never.events().length === 1);
  never.response.pause();
  await cutting.registry.input(address(worker.workerId), { kind: 'user', content: 'x' });
  await until('it runs', () => cutting.program(worker.workerId).current !== undefined);
  for (let n = 0; n < 600; n += 1) {
    cutting.program(worker.workerId).current?.say('x'.repeat(64 * 1024));
    if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await until('who never reads is cut off', () => cutting.server.status()?.connections === 0);
});

test('streams end when the daemon does', async (t) => {
  const lab = await startBrowserLab(t);
  const { workerId } = await lab.create();
  const byToken = await openStream(t, lab.place, eventsOf(workerId), { authorization: `Bearer ${lab.token}` });
  const byCookie = await openStream(t, lab.place, eventsOf(workerId), { cookie: await lab.signIn() });
  await until('both have begun', () => byToken.events().length === 1 && byCookie.events().length === 1);
  await lab.server.close(5000);
  await Promise.all([byToken.ended, byCookie.ended]);
});

test('the same stream is at the unix socket, and a page of events where the caller speaks JSON-RPC', async (t) => {
  const lab = runtimeLab();
  const { path } = await startControl(t, {
    handlers: { ...runtimeHandlers(lab.registry), ...workerHandlers(lab.registry) },
  });
  const { workerId } = await lab.create();
  const stream = await openStream(t, path, eventsOf(workerId));
  await until('the snapshot', () => types(stream).includes('snapshot'));
  const answer = await ask(path, 'POST', `${runtimePath}/workers/${workerId}/input`, { body: { content: 'hello' } });
  assert.equal(answer.json['state'], 'accepted');
  await until('the input', () => types(stream).includes('item'));
  const { connect } = await import('../../protocol/client/client.ts');
  const client = await connect({ socket: path });
  t.after(() => client.close());
  const page = await client.call('worker.events', { ...address(workerId), after: String(stream.events()[0]?.id) });
  assert.equal(page.events[0]?.type, 'item');
});
