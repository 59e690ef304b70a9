// Publishes into streams that are answered once they are stored: which answer belongs to which, and what becomes of
// those that get none.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PublishConnection, StoredPublishes } from '../../workers/cluster/stored-publishes.ts';

interface Sent {
  readonly subject: string;
  readonly reply: string;
  readonly messageId: string;
}

/** The client's types are far wider than what is used of them. */
function lab(timeoutMs = 60_000) {
  const sent: Sent[] = [];
  let callback: (error: Error | null, message: unknown) => void = () => undefined;
  const connection = {
    subscribe: (_subject: string, options: { callback: typeof callback }) => (callback = options.callback),
    publish(subject: string, _body: string, { reply, headers }: { reply: string; headers: Map<string, string> }) {
      if (subject === 'too.large') throw new Error('max_payload exceeded');
      sent.push({ subject, reply, messageId: headers.get('Nats-Msg-Id') ?? '' });
    },
  };
  const publishes = new StoredPublishes(
    { connection: connection as unknown as PublishConnection, timeoutMs, headers: () => new Map() as never },
    '_INBOX.mine',
  );
  const answer = (reply: string | undefined, body: string, code?: number): void =>
    callback(null, { subject: reply, string: () => body, ...(code === undefined ? {} : { headers: { code } }) });
  return { publishes, sent, answer };
}

const message = (messageId: string, subject = 'a.stream') => ({ subject, messageId, body: '{}' });

test('each is told by its own answer, in whatever order they come', async () => {
  const { publishes, sent, answer } = lab();
  const [first, second] = [publishes.publish(message('one')), publishes.publish(message('two'))];
  assert.deepEqual(
    sent.map(({ subject, messageId }) => [subject, messageId]),
    [
      ['a.stream', 'one'],
      ['a.stream', 'two'],
    ],
  );
  answer(sent[1]?.reply, '{"stream":"s","seq":2,"duplicate":true}');
  answer(sent[0]?.reply, '{"stream":"s","seq":1}');
  // Once more, and for nobody.
  answer(sent[0]?.reply, '{"stream":"s","seq":1}');
  answer('_INBOX.mine.77', 'what nobody asked');
  assert.deepEqual([await first, await second], [false, true]);
  publishes.close();
});

test('a refusal has the code of JetStream, and what is no answer of it is refused', async () => {
  const { publishes, sent, answer } = lab();
  const answers = [
    '{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"}}',
    '{"error":{}}',
    'no JSON',
    '{}',
    'null',
  ];
  const told = answers.map((_, at) => publishes.publish(message(String(at))).catch((thrown: unknown) => thrown));
  for (const [at, text] of answers.entries()) answer(sent[at]?.reply, text);
  const [full, ...others] = (await Promise.all(told)) as (Error & { code?: unknown })[];
  assert.deepEqual([full?.message, full?.code], ['maximum messages exceeded', 10077]);
  for (const error of others) assert.ok(error instanceof Error);
  const alone = publishes.publish(message('alone'));
  answer(sent.at(-1)?.reply, '', 503);
  await assert.rejects(alone, /no responders/);
  publishes.close();
});

test('what is too large leaves nothing behind', async () => {
  const { publishes } = lab();
  assert.throws(() => void publishes.publish(message('large', 'too.large')), /max_payload/);
  publishes.close();
});

test('without an answer it is refused in time, and at once when the connection is closed', async () => {
  const { publishes } = lab(40);
  await assert.rejects(publishes.publish(message('late')), /timeout/);
  publishes.close();
  const other = lab();
  const waiting = [other.publishes.publish(message('one')), other.publishes.publish(message('two'))];
  const refused = Promise.all(waiting.map((one) => assert.rejects(one, /the connection is closed/)));
  other.publishes.close();
  await refused;
});
