// Publishes into streams that are answered once they are stored: which answer belongs to which, and what becomes of
// those that get none.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PublishConnection, StoredPublishes } from '../../workers/cluster/stored-publishes.ts';

interface Sent {
  readonly subject: string;
  readonly reply: string;
  /** As they are sent. */
  readonly headers: string;
}

interface Encoded {
  encode(): Uint8Array;
}

/** The client's types are far wider than what is used of them. */
function lab(timeoutMs = 60_000) {
  const sent: Sent[] = [];
  let callback: (error: Error | null, message: unknown) => void = () => undefined;
  const connection = {
    subscribe: (_subject: string, options: { callback: typeof callback }) => (callback = options.callback),
    publish(subject: string, _body: Uint8Array, { reply, headers }: { reply: string; headers: Encoded }) {
      if (subject === 'too.large') throw new Error('max_payload exceeded');
      sent.push({ subject, reply, headers: Buffer.from(headers.encode()).toString() });
    },
  };
  const publishes = new StoredPublishes(
    { connection: connection as unknown as PublishConnection, timeoutMs },
    '_INBOX.mine',
  );
  const answer = (reply: string | undefined, body: string, code?: number): void =>
    callback(null, { subject: reply, string: () => body, ...(code === undefined ? {} : { headers: { code } }) });
  const publish = (what: ReturnType<typeof message>): Promise<boolean> =>
    new Promise((resolve, reject) =>
      publishes.publish(what, (outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome))),
    );
  return { publishes, publish, sent, answer };
}

const message = (messageId: string, subject = 'a.stream') => ({ subject, messageId, body: Buffer.from('{}') });

test('each is told by its own answer, in whatever order they come', async () => {
  const { publishes, publish, sent, answer } = lab();
  const [first, second] = [publish(message('one')), publish(message('two'))];
  assert.deepEqual(
    sent.map(({ subject, headers }) => [subject, headers]),
    [
      ['a.stream', 'NATS/1.0\r\nNats-Msg-Id: one\r\n\r\n'],
      ['a.stream', 'NATS/1.0\r\nNats-Msg-Id: two\r\n\r\n'],
    ],
  );
  answer(sent[1]?.reply, '{"stream":"s","seq":2,"duplicate":true}');
  answer(sent[0]?.reply, '{"stream":"s", "seq":1}');
  // Once more, and for nobody.
  answer(sent[0]?.reply, '{"stream":"s","seq":1}');
  answer('_INBOX.mine.77', 'what nobody asked');
  assert.deepEqual([await first, await second], [false, true]);
  publishes.close();
});

test('a refusal has the code of JetStream, and what is no answer of it is refused', async () => {
  const { publishes, publish, sent, answer } = lab();
  const answers = [
    '{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"}}',
    '{"error":{}}',
    'no JSON',
    '{}',
    'null',
  ];
  const told = answers.map((_, at) => publish(message(String(at))).catch((thrown: unknown) => thrown));
  for (const [at, text] of answers.entries()) answer(sent[at]?.reply, text);
  const [full, ...others] = (await Promise.all(told)) as (Error & { code?: unknown })[];
  assert.deepEqual([full?.message, full?.code], ['maximum messages exceeded', 10077]);
  for (const error of others) assert.ok(error instanceof Error);
  const alone = publish(message('alone'));
  answer(sent.at(-1)?.reply, '', 503);
  await assert.rejects(alone, /no responders/);
  publishes.close();
});

test('what is too large leaves nothing behind', async () => {
  const { publishes } = lab();
  assert.throws(() => publishes.publish(message('large', 'too.large'), () => undefined), /max_payload/);
  publishes.close();
});

test('without an answer it is refused in time, and at once when the connection is closed', async () => {
  const { publishes, publish } = lab(40);
  await assert.rejects(publish(message('late')), /timeout/);
  publishes.close();
  const other = lab();
  const waiting = [other.publish(message('one')), other.publish(message('two'))];
  const refused = Promise.all(waiting.map((one) => assert.rejects(one, /the connection is closed/)));
  other.publishes.close();
  await refused;
});
