// Events of a server over HTTP are read however the network cuts them, and within a bound.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventStream } from '../../workers/mcp/hosted/event-stream.ts';

function read(text: string, pieceBytes: number, most = 1000): string[] {
  const messages: string[] = [];
  const events = new EventStream(most, (message) => messages.push(message));
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += pieceBytes) events.push(bytes.subarray(at, at + pieceBytes));
  return messages;
}

test('events are read, in pieces of any size, with either end of line', () => {
  const text =
    ': hello\nevent: message\ndata: {"a":"ü🙂"}\n\nid: 7\r\ndata:{"b":\r\ndata:  2}\r\n\r\nretry: 5\n\ndata: half';
  for (const pieceBytes of [1, 2, 3, 7, 1000])
    assert.deepEqual(read(text, pieceBytes), ['{"a":"ü🙂"}', '{"b":\n 2}'], String(pieceBytes));
});

test('a message or a line that is too long is refused', () => {
  assert.deepEqual(read(`data: ${'x'.repeat(90)}\n\n`.repeat(50), 64, 100).length, 50);
  assert.throws(() => read(`data: ${'x'.repeat(200)}\n\n`, 64, 100), /longer than limits\.lineBytes/);
  assert.throws(() => read('data: xxxxxxxxxx\n'.repeat(20), 64, 100), /longer than limits\.lineBytes/);
  assert.throws(() => read(`: ${'x'.repeat(200)}`, 64, 100), /longer than limits\.lineBytes/);
});
