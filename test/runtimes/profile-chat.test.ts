// The chat sample as a worker's program in a real cell, against a server that speaks its protocol well or badly.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Answering, type ChatServer, beginStream, chatServer, delta, event, pause } from '../labs/chat-server.ts';
import { examplesFolder } from '../labs/cli-process.ts';
import { type LabWorker, profileLab } from '../labs/profile-lab.ts';
import { failed } from '../labs/profile-cases.ts';
import { until } from '../labs/until.ts';

const key = 'sk-test-0123456789abcdef';

async function chat(
  t: TestContext,
  answer: Answering,
  config: Record<string, unknown> = {},
  limits: Record<string, unknown> = {},
): Promise<{ readonly server: ChatServer; readonly worker: LabWorker }> {
  const server = await chatServer(t, answer);
  const lab = await profileLab(t, {
    folders: [join(examplesFolder, 'chat')],
    overrides: { 'example.chat': { config: { endpoint: server.endpoint, model: 'small', ...config } } },
    limits,
    env: { CHAT_API_KEY: key, OTHER: 'not for it' },
  });
  return { server, worker: lab.worker('example.chat') };
}

const says =
  (...texts: string[]): Answering =>
  (response) => {
    beginStream(response);
    for (const text of texts) response.write(event(delta(text)));
    response.end(event(delta('', 'stop')) + event('[DONE]'));
  };

test('it says what the model streams, and sends model, system prompt, bounded history and key', async (t) => {
  const { server, worker } = await chat(t, says('Hel', 'lo 😀', '!'), { system: 'Be brief.', historyItems: 2 });
  const end = await worker.run('How are you?', [
    { role: 'user', content: 'too old' },
    { role: 'user', content: 'Hi' },
    { role: 'worker', content: 'Hello' },
  ]);
  assert.equal(end.kind, 'done', JSON.stringify(end));
  assert.equal(end.text, 'Hello 😀!');
  const [{ path, headers, body }] = server.requests as [ChatServer['requests'][number]];
  assert.equal(path, '/v1/chat/completions');
  assert.equal(headers.authorization, `Bearer ${key}`);
  assert.deepEqual(body, {
    model: 'small',
    stream: true,
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: 'Hello' },
      { role: 'user', content: 'How are you?' },
    ],
  });
});

test('it says each part while the rest is still to come', async (t) => {
  let goOn = (): void => {};
  const asked = new Promise<void>((resolve) => (goOn = resolve));
  const { worker } = await chat(t, async (response) => {
    beginStream(response);
    response.write(event(delta('first')));
    await asked;
    response.end(event(delta(' second')) + event('[DONE]'));
  });
  const running = worker.begin('Go');
  await running.said('first');
  assert.equal(running.text(), 'first');
  goOn();
  assert.equal((await running.ended).kind, 'done');
  assert.equal(running.text(), 'first second');
});

test('it reads a stream however its bytes are split, with comments, other fields and any ends of lines', async (t) => {
  const { worker } = await chat(t, async (response) => {
    beginStream(response);
    const whole = Buffer.from(
      `: keep-alive\r\n\r\nevent: message\r\nid: 1\r\n${event(delta('grüß '), '\r\n')}: ping\n\n${event(delta('dich 😀'), '\r')}data: {"choices":\ndata: [{"delta":{"content":"!"}}]}\n\n${event('[DONE]')}`,
    );
    for (const byte of whole) {
      response.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    response.end();
  });
  const end = await worker.run('Go');
  assert.equal(end.text, 'grüß dich 😀!');
  assert.equal(end.kind, 'done');
});

test('it takes a whole answer from a server that does not stream', async (t) => {
  const { worker } = await chat(t, (response) => {
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' });
    response.end(
      JSON.stringify({ choices: [{ message: { role: 'assistant', content: 'All at once.' }, finish_reason: 'stop' }] }),
    );
  });
  assert.deepEqual((await worker.run('Go')).text, 'All at once.');
});

for (const [status, body, expected] of [
  [
    401,
    JSON.stringify({ error: { message: `Incorrect API key provided: ${key}` } }),
    /401: Incorrect API key provided: \[key\]$/,
  ],
  [429, JSON.stringify({ error: 'slow down' }), /429: slow down \(try again after 7\)$/],
  [500, '<h1>Internal error</h1>', /500: <h1>Internal error<\/h1>$/],
  [503, '', /answered 503$/],
] as const) {
  test(`an answer of ${String(status)} fails the input with what the server says, and without the key`, async (t) => {
    const { worker, server } = await chat(t, (response) => {
      response.writeHead(status, status === 429 ? { 'retry-after': '7' } : {});
      response.end(body);
    });
    const end = await worker.run('Go');
    const error = failed(end, 'dispatch_failed');
    assert.match(error.message, expected);
    assert.match(error.message, new RegExp(new URL(server.endpoint).host));
    assert.ok(!JSON.stringify(error.toWire()).includes(key));
    assert.equal(end.text, '');
  });
}

for (const [what, broken, expected] of [
  [
    'is cut between two parts',
    (response) => response.write(event(delta('half')), () => response.destroy()),
    /the answer is not complete: /,
  ],
  [
    'is cut in the middle of a part',
    (response) => response.end(`${event(delta('half'))}data: {"choi`),
    /the answer is not complete: its answer broke off/,
  ],
  [
    'ends without saying so',
    (response) => response.end(event(delta('half'))),
    /the answer is not complete: its answer broke off/,
  ],
  [
    'holds what is not JSON',
    (response) => response.end(event(delta('half')) + event('{oops}') + event('[DONE]')),
    /the answer is not complete: it sent what is not JSON: \{oops\}/,
  ],
  [
    'holds an error',
    (response) => response.end(event(delta('half')) + event(JSON.stringify({ error: { message: 'overloaded' } }))),
    /the answer is not complete: it reports an error: overloaded/,
  ],
] as const satisfies readonly (readonly [string, (response: Parameters<Answering>[0]) => unknown, RegExp])[]) {
  test(`a stream that ${what} says what came and fails the input with the reason`, async (t) => {
    const { worker } = await chat(t, (response) => {
      beginStream(response);
      broken(response);
    });
    const end = await worker.run('Go');
    assert.match(failed(end, 'dispatch_failed').message, expected);
    assert.equal(end.text, 'half');
  });
}

test('a server that does not answer, or falls silent, is given up after the time configured', async (t) => {
  const silent = await chat(t, () => {}, { connectMs: 200 });
  assert.match(
    failed(await silent.worker.run('Go'), 'dispatch_failed').message,
    /no answer: an answer did not come within 200 ms/,
  );
  const stops = await chat(
    t,
    (response) => {
      beginStream(response);
      response.write(event(delta('half')));
    },
    { idleMs: 200 },
  );
  const end = await stops.worker.run('Go');
  assert.match(
    failed(end, 'dispatch_failed').message,
    /the answer is not complete: the next part of the answer did not come within 200 ms/,
  );
  assert.equal(end.text, 'half');
});

test('a slow answer is waited for as long as parts of it come', async (t) => {
  const { worker } = await chat(
    t,
    async (response) => {
      beginStream(response);
      for (const text of ['a', 'b', 'c', 'd', 'e']) {
        await pause(400);
        response.write(event(delta(text)));
      }
      response.end(event('[DONE]'));
    },
    { idleMs: 1500 },
  );
  assert.equal((await worker.run('Go')).text, 'abcde');
});

test('a server that is not there is named with the reason', async (t) => {
  const { worker } = await chat(t, () => {}, { endpoint: 'http://127.0.0.1:1/v1' });
  assert.match(
    failed(await worker.run('Go'), 'dispatch_failed').message,
    /127\.0\.0\.1:1: no answer: (ECONNREFUSED|bad port)/,
  );
});

test('cancel ends the request too', async (t) => {
  const { worker, server } = await chat(
    t,
    (response) => {
      beginStream(response);
      response.write(event(delta('and so on')));
    },
    {},
    { workerCancelMs: 30_000 },
  );
  const running = worker.begin('Go');
  await running.said('and so on');
  worker.program.cancel();
  assert.deepEqual(await running.ended, { kind: 'cancelled' });
  await until('the server sees its client go', () => server.abandoned() === 1);
  assert.equal(worker.program.view().incarnation, 1);
});

test('a mistake in its configuration is named', async (t) => {
  for (const [config, expected] of [
    [{ endpoint: 'localhost' }, /config\.endpoint must be the address/],
    [{ model: '' }, /config\.model must name the model/],
    [{ temperture: 1 }, /config\.temperture is not known; there are endpoint, model, system/],
    [{ idleMs: 'soon' }, /config\.idleMs must be a whole number above 0/],
  ] as const) {
    const { worker } = await chat(t, says('x'), config);
    assert.match(failed(await worker.run('Go'), 'dispatch_failed').message, expected);
  }
});
