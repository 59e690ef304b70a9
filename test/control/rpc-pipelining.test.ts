// Many requests on one connection: each is answered once, in whatever order they are done, and in few writes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Deferred } from '../../daemon/operations/deferred.ts';
import { HostError } from '../../protocol/errors.ts';
import type { EncodedJson } from '../../protocol/json-rpc.ts';
import type { OperationResult } from '../../protocol/operations.ts';
import { startControl } from '../labs/control-lab.ts';
import { RawSocket } from '../labs/raw-socket.ts';

test('answers come as they are done, each with the id of its request', async (t) => {
  const { path } = await startControl(t);
  const raw = await RawSocket.connect(t, path);
  for (const [id, ms] of [
    ['slow', 300],
    ['middle', 100],
  ] as const)
    raw.request(id, 'tool.call', { plugin: 'p', tool: 'later', input: { ms } });
  raw.request('at once', 'daemon.ping');
  assert.deepEqual(
    (await raw.messages(3)).map((answer) => answer.id),
    ['at once', 'middle', 'slow'],
  );
});

test('whatever is asked, in whatever chunks it is sent, every request gets its own answer', async (t) => {
  const { path } = await startControl(t);
  const raw = await RawSocket.connect(t, path);
  let nextId = 0;
  const request = fc.oneof(
    fc
      .string({ unit: 'grapheme' })
      .map((text) => ({ method: 'tool.call', params: { plugin: 'p', tool: 'echo', input: { text } } })),
    fc
      .integer({ min: 0, max: 3 })
      .map((ms) => ({ method: 'tool.call', params: { plugin: 'p', tool: 'later', input: { ms } } })),
    fc.constant({ method: 'daemon.ping', params: {} }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(request, { minLength: 1, maxLength: 50 }),
      fc.array(fc.nat(), { maxLength: 10 }),
      async (requests, cuts) => {
        const sent = new Map(requests.map((row) => [nextId++, row]));
        const bytes = Buffer.from(
          [...sent].map(([id, row]) => `${JSON.stringify({ jsonrpc: '2.0', id, ...row })}\n`).join(''),
        );
        const places = [...cuts.map((at) => at % bytes.length), bytes.length].sort((one, other) => one - other);
        let from = 0;
        for (const to of places) {
          await new Promise((written) => raw.socket.write(bytes.subarray(from, to), written));
          from = to;
        }
        for (const answer of await raw.messages(requests.length)) {
          const row = sent.get(answer.id as number);
          assert.ok(row !== undefined, 'asked for, and not answered before');
          sent.delete(answer.id as number);
          if ('input' in row.params) assert.deepEqual(answer.result?.['output'], row.params.input);
          else assert.equal(answer.result?.['pong'], true);
        }
      },
    ),
    { numRuns: 60 },
  );
  assert.equal(raw.text, '');
});

test('a thousand requests at once are all answered', async (t) => {
  const { path } = await startControl(t);
  const raw = await RawSocket.connect(t, path);
  const ids = Array.from({ length: 1000 }, (_, id) => id);
  raw.send(
    ids
      .map(
        (id) =>
          `${JSON.stringify({ jsonrpc: '2.0', id, method: 'tool.call', params: { plugin: 'p', tool: 'later', input: { ms: id % 20 } } })}\n`,
      )
      .join(''),
  );
  const answers = await raw.messages(1000);
  assert.deepEqual(
    answers.map((answer) => answer.id as number).sort((one, other) => one - other),
    ids,
  );
  assert.ok(answers.every((answer) => answer.error === undefined));
});

test('as many calls as may be pending are, and the next one is told so at once', async (t) => {
  const { path } = await startControl(t, { limits: { pendingCalls: 2 } });
  const raw = await RawSocket.connect(t, path);
  const call = (id: number): void =>
    void raw.request(id, 'tool.call', { plugin: 'p', tool: 'later', input: { ms: 200 } });
  for (const id of [1, 2, 3]) call(id);
  const refused = await raw.message();
  assert.equal(refused.id, 3);
  assert.equal(refused.error?.data.code, 'too_many_requests');
  assert.equal(refused.error.data.retryable, true);
  assert.deepEqual(refused.error.data.details, { limit: 'limits.pendingCalls', maximum: 2 });
  assert.deepEqual(new Set((await raw.messages(2)).map((answer) => answer.id)), new Set([1, 2]));
  call(4);
  assert.equal((await raw.message()).error, undefined, 'there is room again');
});

test('events sent one after the other on a connection reach their operation in that order', async (t) => {
  const seen: string[] = [];
  const { path } = await startControl(t, {
    handlers: {
      'ingress.publish': ({ event }) => {
        seen.push((event as { id: string }).id);
        return { accepted: true, eventId: 'e', correlationId: 'c', queueDepth: 0 };
      },
    },
  });
  const raw = await RawSocket.connect(t, path);
  const publish = (id: number): object => ({
    jsonrpc: '2.0',
    id,
    method: 'ingress.publish',
    params: { plugin: 'p', event: { id: String(id) } },
  });
  const lines = Array.from({ length: 300 }, (_, group) =>
    JSON.stringify(group % 3 === 0 ? [publish(2 * group), publish(2 * group + 1)] : publish(2 * group)),
  );
  raw.send(`${lines.join('\n')}\n`);
  for (let answered = 0; answered < lines.length; answered += 1) await raw.line();
  assert.deepEqual(
    seen,
    [...seen].sort((one, other) => Number(one) - Number(other)),
  );
  assert.equal(seen.length, 400);
});

test('what one read of the socket brought goes to the disk before the next read is taken', async (t) => {
  const mostOfRead = 64 * 1024;
  const line = `${JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'ingress.publish',
    params: { plugin: 'a.b', event: { ingress: 'i', kind: 'k', payload: 'x'.repeat(1000) } },
  })}\n`;
  const count = 400;
  /** How many calls each commit had. */
  const commits: number[] = [];
  const gathered: Deferred<OperationResult<'ingress.publish'> | EncodedJson>[] = [];
  const commit = (): void => {
    commits.push(gathered.length);
    for (const later of gathered.splice(0))
      setImmediate(() => later.reject(new HostError('storage_failed', 'no disk')));
  };
  const { path } = await startControl(t, {
    handlers: {
      'ingress.publish': () => {
        const later = new Deferred<OperationResult<'ingress.publish'> | EncodedJson>({ isBrief: true });
        // As the store does it: at the end of the turn.
        if (gathered.push(later) === 1) setImmediate(commit);
        return later;
      },
    },
  });
  const raw = await RawSocket.connect(t, path);
  // Twice: the first time it may be so slow that the turn's budget ends it anyway.
  for (let round = 0; round < 2; round += 1) {
    raw.send(line.repeat(count));
    assert.equal((await raw.messages(count)).length, count);
  }
  const most = Math.ceil(mostOfRead / line.length);
  assert.ok(Math.max(...commits) <= most, `one commit had ${String(Math.max(...commits))} calls of ${String(most)}`);
});
