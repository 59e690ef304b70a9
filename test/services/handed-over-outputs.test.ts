// Outputs that a cell hands over as bytes are held to what a cell of ours sends: whoever gets at its port can neither
// keep a hand on the memory, nor have the host keep more of it than it counts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { CellInbox } from '../../daemon/cells/cell-inbox.ts';
import type { ResultsMessage } from '../../protocol/cell/messages.ts';
import { EncodedJson } from '../../protocol/json-rpc.ts';

const most = 10_000;

interface Hearing {
  readonly inbox: CellInbox;
  readonly heard: ResultsMessage[];
}

function hearing(): Hearing {
  const heard: ResultsMessage[] = [];
  const nothing = (): void => {};
  const inbox = new CellInbox(
    {
      results: (message) => void heard.push(message),
      halted: nothing,
      log: nothing,
      logDropped: nothing,
      ended: nothing,
      unkillable: nothing,
    },
    nothing,
  );
  inbox.allowOutputs(most);
  return { inbox, heard };
}

/** As it comes out of a real port. */
function through(json: unknown, handedOver: readonly ArrayBuffer[] = []): unknown {
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(
    { type: 'results', through: 1, failures: [], outputs: [{ sequence: 1, json, durationMs: 0 }] },
    handedOver,
  );
  const received = receiveMessageOnPort(port2)?.message as unknown;
  port1.close();
  return received;
}

const bytesOf = (length: number): Uint8Array<ArrayBuffer> => new Uint8Array(length).fill(0x31);
const outputOf = ({ heard }: Hearing): string => new EncodedJson('', heard[0]?.outputs[0]?.json).text;

test('whole bytes within the bound are taken, handed over or copied', () => {
  for (const [length, handsOver] of [
    [1, true],
    [most, true],
    [most, false],
  ] as const) {
    const at = hearing();
    const bytes = bytesOf(length);
    at.inbox.receive(through(bytes, handsOver ? [bytes.buffer] : []));
    assert.equal(outputOf(at), '1'.repeat(length));
    assert.equal(at.inbox.malformed, 0);
  }
});

const odd: readonly (readonly [what: string, json: () => unknown])[] = [
  ['more bytes than a cell may answer', () => bytesOf(most + 1)],
  ['a longer text than a cell may answer', () => '1'.repeat(most + 1)],
  ['no bytes at all', () => bytesOf(0)],
  ['shared memory', () => new Uint8Array(new SharedArrayBuffer(8))],
  [
    'memory that can grow',
    () => new Uint8Array(Reflect.construct(ArrayBuffer, [8, { maxByteLength: 16 }]) as ArrayBuffer),
  ],
  ['a part of larger memory', () => new Uint8Array(new ArrayBuffer(1_000_000), 0, 8)],
  ['the memory itself', () => new ArrayBuffer(8)],
  ['numbers of two bytes', () => new Uint16Array(8)],
  ['a view without elements', () => new DataView(new ArrayBuffer(8))],
  ['a list of numbers', () => [0x31, 0x31]],
  ['an object that looks like bytes', () => ({ length: 1, byteLength: 1, buffer: new ArrayBuffer(1), 0: 0x31 })],
];

for (const [what, json] of odd) {
  test(`${what} is no output, and nobody is told of it`, () => {
    const at = hearing();
    at.inbox.receive(through(json()));
    assert.deepEqual([at.heard.length, at.inbox.malformed], [0, 1]);
  });
}

test('neither is what no port can carry: bytes of a class of their own, or in memory given away', () => {
  class Odd extends Uint8Array {}
  const given = bytesOf(8);
  structuredClone(given, { transfer: [given.buffer] });
  for (const json of [new Odd(8), Buffer.alloc(8, '1'), given]) {
    const at = hearing();
    at.inbox.receive({ type: 'results', through: 1, failures: [], outputs: [{ sequence: 1, json, durationMs: 0 }] });
    assert.deepEqual([at.heard.length, at.inbox.malformed], [0, 1]);
  }
});

test('before a cell was told its bound it has nothing to answer', () => {
  const nothing = (): void => {};
  const inbox = new CellInbox(
    {
      results: () => assert.fail('told'),
      halted: nothing,
      log: nothing,
      logDropped: nothing,
      ended: nothing,
      unkillable: nothing,
    },
    nothing,
  );
  inbox.receive(through(bytesOf(1)));
  assert.equal(inbox.malformed, 1);
});
