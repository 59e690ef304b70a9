// What handlers answer, of every size and script, on every way to whoever waits: small answers and large ones travel
// differently, and nobody may be able to tell.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ask } from '../labs/http-client.ts';
import { RawSocket } from '../labs/raw-socket.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';
import { type TestDaemon, startTestDaemon } from '../labs/test-daemon.ts';

const id = 'test.large';
/** What `limits.toolOutputBytes` is where nobody says otherwise. */
const most = 1024 * 1024;

const plugin = `
const spoil = () => {
  const spoilt = () => { throw new Error('spoilt'); };
  // Not its lengths: newer Nodes themselves read those when they write.
  Object.defineProperty(Object.getPrototypeOf(Uint8Array.prototype), 'buffer', { get: spoilt });
  for (const name of ['utf8Write', 'latin1Write', 'write']) Object.defineProperty(Buffer.prototype, name, { value: spoilt });
  Object.assign(Buffer, { alloc: spoilt, allocUnsafe: spoilt, allocUnsafeSlow: spoilt, byteLength: spoilt, from: spoilt });
  Object.assign(JSON, { stringify: spoilt });
};
export const service = {
  start() {},
  handleIngress: ({ payload: { letter, count, dies, spoils } }) => {
    if (dies) process.exit(1);
    if (spoils) spoil();
    return letter.repeat(count);
  },
};
`;

async function daemonWith(t: TestContext, isolation: 'thread' | 'process'): Promise<TestDaemon> {
  const folder = await temporaryFolder(t);
  const service = {
    ingresses: [{ name: 'work', kinds: ['do'] }],
    queue: { capacity: 1000 },
    timeouts: { handleMs: 20_000 },
    retry: { maxAttempts: 1 },
  };
  await writeTree(folder, {
    'package.json': { type: 'module' },
    'index.js': plugin,
    'plugin.json': { schemaVersion: 1, id, name: 'Large', version: '1.0.0', entry: './index.js', isolation, service },
  });
  const daemon = await startTestDaemon(t);
  const client = await daemon.connect();
  await client.call('plugin.load', { path: folder });
  await client.call('service.start', { plugin: id });
  return daemon;
}

interface Wish {
  readonly letter: string;
  readonly count: number;
}

const request = (at: number, payload: unknown): object => ({
  jsonrpc: '2.0',
  id: at,
  method: 'ingress.deliver',
  params: { plugin: id, event: { ingress: 'work', kind: 'do', payload }, timeoutMs: 60_000 },
});

/**
 * Around the sizes at which an answer takes another way, in characters of one to four bytes, and one that JSON must
 * escape.
 */
const wishes: readonly Wish[] = ['x', 'é', '漢', '😀', '\ud800'].flatMap((letter) => {
  const bytes = Buffer.byteLength(JSON.stringify(letter)) - 2;
  return [0, 2048, 4096, 16 * 1024, 64 * 1024].flatMap((size) =>
    [-1, 0, 1].map((step) => ({ letter, count: Math.max(0, Math.floor((size - 2) / bytes) + step) })),
  );
});

const wished = ({ letter, count }: Wish): string => letter.repeat(count);

for (const isolation of ['thread', 'process'] as const) {
  test(`an output of any size and script arrives as its handler gave it, each in its turn (${isolation})`, async (t) => {
    const daemon = await daemonWith(t, isolation);
    const raw = await RawSocket.connect(t, daemon.socket);
    const asked = [...wishes, { letter: 'x', count: most - 2 }, ...wishes.toReversed()];
    raw.send(asked.map((wish, at) => `${JSON.stringify(request(at, wish))}\n`).join(''));
    for (const [at, wish] of asked.entries()) {
      const { id: answered, result } = await raw.message();
      assert.equal(answered, at, 'answers of one service come in the order it was asked');
      assert.ok(result?.['output'] === wished(wish), `${wish.letter} × ${String(wish.count)} came otherwise`);
    }
  });
}

test('a batch of calls with small and large outputs is one line that holds them all', async (t) => {
  const daemon = await daemonWith(t, 'thread');
  const raw = await RawSocket.connect(t, daemon.socket);
  raw.send(`${JSON.stringify(wishes.map((wish, at) => request(at, wish)))}\n`);
  raw.request('after', 'daemon.ping');
  const lines = [await raw.line(), await raw.line()].map((line) => JSON.parse(line) as unknown);
  const batch = lines.find((line) => Array.isArray(line)) as {
    readonly id: number;
    readonly result: { readonly output: string };
  }[];
  assert.deepEqual(
    batch.map((answer) => answer.id).sort((a, b) => a - b),
    wishes.map((_, at) => at),
  );
  for (const { id: at, result } of batch) assert.ok(result.output === wished(wishes[at] as Wish));
});

test('over HTTP an output is as long as it is said to be', async (t) => {
  const daemon = await daemonWith(t, 'thread');
  for (const wish of wishes) {
    const answer = await ask(daemon.socket, 'POST', `/api/services/${id}/deliver`, {
      body: { event: { ingress: 'work', kind: 'do', payload: wish } },
    });
    assert.equal(answer.status, 200, answer.text.slice(0, 300));
    assert.equal(Number(answer.headers['content-length']), Buffer.byteLength(answer.text));
    assert.ok(answer.json['output'] === wished(wish));
  }
});

test('answers made before their cell died are whole, however large', async (t) => {
  const daemon = await daemonWith(t, 'thread');
  const raw = await RawSocket.connect(t, daemon.socket);
  const sizes = [200_000, 10, 3000, 60_000, 15_000, 500_000, 2046];
  for (let round = 0; round < 10; round += 1) {
    raw.send(
      [...sizes.map((count) => ({ letter: 'x', count })), { dies: true }]
        .map((payload, at) => `${JSON.stringify(request(at, payload))}\n`)
        .join(''),
    );
    for (const [at, count] of sizes.entries()) {
      const { id: answered, result } = await raw.message();
      assert.equal(answered, at);
      assert.ok(result?.['output'] === 'x'.repeat(count), `the answer of ${String(count)} characters is not whole`);
    }
    assert.equal((await raw.message()).error?.data.code, 'cell_crashed');
    raw.request('again', 'service.restart', { plugin: id });
    assert.equal((await raw.message()).error, undefined);
  }
});

test('a plugin that spoils what texts and bytes are made with does not spoil how its answers travel', async (t) => {
  const daemon = await daemonWith(t, 'thread');
  const raw = await RawSocket.connect(t, daemon.socket);
  const asked = [5, 3000, 20_000, 300_000, 5].map((count) => ({ letter: 'é', count, spoils: true }));
  raw.send(asked.map((wish, at) => `${JSON.stringify(request(at, wish))}\n`).join(''));
  for (const wish of asked) assert.ok((await raw.message()).result?.['output'] === wished(wish));
});
