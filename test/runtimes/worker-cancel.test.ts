// A cancel that names no input means the one that ran when the daemon read the request, however late it is handled; the
// command names the input that it has seen.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Client } from '../../protocol/client/client.ts';
import { RawSocket } from '../labs/raw-socket.ts';
import { startTestDaemon } from '../labs/test-daemon.ts';
import { until } from '../labs/until.ts';

const lab = fileURLToPath(new URL('../fixtures/profiles/lab', import.meta.url));
const runtimeId = 'backend-internal';
const tools = fileURLToPath(new URL('../fixtures/tools/plain', import.meta.url));
/** So many costly requests keep the second cancel from being handled before the first input has ended. */
const between = 250;

interface Scene {
  readonly client: Client;
  readonly raw: RawSocket;
  readonly address: { readonly runtimeId: string; readonly workerId: string };
  /**
   * The eventIds of an input that runs and reacts to its signal, and of one that waits behind it and then never ends.
   */
  readonly one: string;
  readonly two: string;
  running(): Promise<string | null>;
}

async function scene(t: TestContext): Promise<Scene> {
  const daemon = await startTestDaemon(t, { plugins: [lab, tools] });
  const client = await daemon.connect();
  const { workerId } = await client.call('worker.create', {
    runtimeId,
    intent: 'to be cancelled',
    profile: 'test.profiles:lab',
  });
  const address = { runtimeId, workerId };
  const give = async (deed: string): Promise<string> =>
    (await client.call('worker.input', { ...address, content: JSON.stringify({ do: deed }) })).eventId;
  const one = await give('obey');
  const two = await give('hang');
  await until('the second input waits in its handler', async () =>
    (await client.call('worker.transcript', address)).items.some(({ content }) => content === 'waiting'),
  );
  const running = async (): Promise<string | null> => (await client.call('worker.show', address)).inputs.running;
  return { client, raw: await RawSocket.connect(t, daemon.socket), address, one, two, running };
}

test('two cancels in one write end the input that ran, and not the next one', { timeout: 60_000 }, async (t) => {
  const { raw, address, one, two, running } = await scene(t);
  const line = (id: string, method: string, params: object = {}): string =>
    `${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`;
  raw.send(
    [
      line('first', 'worker.cancel', address),
      line('status', 'daemon.status').repeat(between),
      line('second', 'worker.cancel', address),
    ].join(''),
  );
  const answers = await raw.messages(between + 2);
  const told = (id: string): unknown[] =>
    answers.filter((answer) => answer.id === id).map(({ result }) => [result?.['changed'], result?.['eventId']]);
  assert.deepEqual([told('first'), told('second')], [[[true, one]], [[false, one]]]);
  await until('the second input runs', async () => (await running()) === two);
  assert.equal(answers.at(-1)?.id, 'second');
});

test(
  'two cancels that are pipelined over HTTP end the input that ran, and not the next one',
  { timeout: 60_000 },
  async (t) => {
    const { raw, address, one, two, running } = await scene(t);
    const post = (path: string, body: object): string => {
      const text = JSON.stringify(body);
      return `POST /api/${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${String(text.length)}\r\n\r\n${text}`;
    };
    const cancel = post(`runtimes/${runtimeId}/workers/${address.workerId}/cancel`, {});
    raw.send([cancel, post('tools/fixture.plain/sleep', { input: { ms: 300 } }), cancel].join(''));
    const cancelled = (): unknown[] =>
      [...raw.text.matchAll(/\{"runtimeId".*?"changed":(true|false),"eventId":"([^"]+)"\}/g)].map(
        ([, changed, eventId]) => [changed, eventId],
      );
    await until('both cancels are answered', async () => (await running()) !== one && cancelled().length === 2);
    assert.deepEqual(cancelled(), [
      ['true', one],
      ['false', one],
    ]);
    assert.equal(await running(), two);
  },
);
