// The writer of a connection: whatever answers are made of, they reach the peer whole and in their order, and what
// waits for it is counted in bytes and bounded.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Socket, createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { Outbox } from '../../daemon/control/rpc/outbox.ts';
import { RpcBatch } from '../../daemon/control/rpc/rpc-batch.ts';
import { EncodedJson } from '../../protocol/json-rpc.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { until } from '../labs/until.ts';

interface Wire {
  /** The daemon's end. */
  readonly near: Socket;
  readonly far: Socket;
}

async function wire(t: TestContext): Promise<Wire> {
  const path = join(await temporaryFolder(t), 's');
  const server = createServer().listen(path);
  await once(server, 'listening');
  const far = createConnection(path);
  const [near] = (await once(server, 'connection')) as [Socket];
  for (const socket of [near, far]) socket.on('error', () => {});
  t.after(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  return { near, far };
}

type Piece = { readonly text: string; readonly asBytes: boolean };

const piece: fc.Arbitrary<Piece> = fc.record({
  text: fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 30 }),
    fc.integer({ min: 1, max: 90_000 }).map((length) => 'é'.repeat(length)),
  ),
  asBytes: fc.boolean(),
});
/** Answers that are sent by themselves, a batch of several, or the end of a turn. */
const step = fc.oneof(
  { weight: 3, arbitrary: piece },
  { weight: 1, arbitrary: fc.array(piece, { minLength: 1, maxLength: 5 }) },
  { weight: 1, arbitrary: fc.constant('turn' as const) },
);

const answerOf = ({ text, asBytes }: Piece): EncodedJson =>
  new EncodedJson('{"é":', asBytes ? new TextEncoder().encode(text) : text, ',"n":1}');
const textOf = ({ text }: Piece): string => `{"é":${text},"n":1}`;

test('texts and bytes leave in the order in which they were added, whole, also in batches and at the end', async (t) => {
  const { near, far } = await wire(t);
  const outbox = new Outbox(near, 1024.5 * 1024 * 1024, {
    roomAgain: () => {},
    overflow: () => assert.fail('it is not full'),
  });
  const expected: Buffer[] = [];
  const received: Buffer[] = [];
  far.on('data', (chunk) => void received.push(chunk));
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      for (const next of steps) {
        if (next === 'turn') {
          await new Promise((resolve) => setImmediate(resolve));
        } else if (Array.isArray(next)) {
          const batch = new RpcBatch(next, outbox);
          for (const member of next) batch.settle(answerOf(member));
          expected.push(Buffer.from(`[${next.map(textOf).join(',')}]\n`));
        } else {
          outbox.add(answerOf(next));
          expected.push(Buffer.from(`${textOf(next)}\n`));
        }
      }
    }),
    { numRuns: 60 },
  );
  outbox.add(answerOf({ text: '"last"', asBytes: true }));
  expected.push(Buffer.from(`${textOf({ text: '"last"', asBytes: true })}\n`));
  outbox.close();
  near.end();
  await once(far, 'end');
  assert.ok(Buffer.concat(received).equals(Buffer.concat(expected)), 'what came is not what was sent');
});

test('bytes that the peer does not read count against the bound, before they are written and after', async (t) => {
  const { near, far } = await wire(t);
  far.pause();
  let overflows = 0;
  const outbox = new Outbox(near, 4.5 * 1024 * 1024, { roomAgain: () => {}, overflow: () => void (overflows += 1) });
  const large = new EncodedJson('{"output":', new Uint8Array(1024 * 1024).fill(0x31), '}');
  outbox.add(large);
  assert.equal(outbox.full, true);
  for (let n = 0; n < 2; n += 1) {
    outbox.add(large);
    // Written now, and not read.
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(overflows, 0);
  outbox.add(large);
  outbox.add(large);
  assert.equal(overflows, 1);
});

test('a peer that reads again makes room, once', async (t) => {
  const { near, far } = await wire(t);
  far.pause();
  let rooms = 0;
  const outbox = new Outbox(near, 64.5 * 1024 * 1024, {
    roomAgain: () => void (rooms += 1),
    overflow: () => assert.fail('it is not full'),
  });
  for (let n = 0; n < 8; n += 1) outbox.add(new EncodedJson('[', new Uint8Array(1024 * 1024).fill(0x31), ']'));
  await until('what the peer does not read stays here', () => near.writableLength > 0);
  assert.equal(rooms, 0);
  far.resume();
  await until('there is room again', () => !outbox.full);
  assert.equal(rooms, 1);
});
