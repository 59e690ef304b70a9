// How an event lies in a stream: what one member writes another reads, and what no member writes is no event.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { streamedMessage } from '../../daemon/cluster/streamed-message.ts';
import type { QueuedEvent } from '../../daemon/dispatch/queued-event.ts';
import { streamedEvent } from '../../workers/cluster/streamed-event.ts';

const head = { ingress: 'orders', kind: 'placed', source: 'shop.example:1', createdAt: '2026-01-01T00:00:00.000Z' };

const queued = (more: Partial<QueuedEvent> = {}): QueuedEvent => ({
  head,
  payload: '{"amount":1,"note":"a line\\nand \\"more\\""}',
  eventId: 'event-1',
  correlationId: 'event-1',
  attempt: 1,
  bytes: 200,
  acceptedMs: 0,
  story: [],
  ...more,
});

const read = (event: QueuedEvent): unknown => streamedEvent(streamedMessage('a.plugin', event).body);

test('what a member writes is read as it was, with what only few events have', () => {
  const { payload } = queued();
  assert.deepEqual(read(queued()), { head, eventId: 'event-1', correlationId: 'event-1', payload });
  assert.deepEqual(read(queued({ correlationId: 'the_sender-s' })), {
    head,
    eventId: 'event-1',
    correlationId: 'the_sender-s',
    payload,
  });
  assert.deepEqual(read(queued({ hops: 3, replayOf: 'letter "7"' })), {
    head,
    eventId: 'event-1',
    correlationId: 'event-1',
    payload,
    hops: 3,
    replayOf: 'letter "7"',
  });
});

test('a head of another order or with spaces is read all the same', () => {
  const { createdAt, ...others } = head;
  const text = JSON.stringify({ createdAt, ...others, correlationId: 'c', eventId: 'e' }, undefined, 1);
  const event = streamedEvent(`${text.replaceAll('\n', ' ')}\n[1, 2]`);
  assert.deepEqual(event, { head, eventId: 'e', correlationId: 'c', payload: '[1, 2]' });
});

test('events of one sender and one moment share one head, so that it goes to the host once', () => {
  const heads = [queued(), queued({ eventId: 'event-2' }), queued({ head: { ...head, kind: 'paid' } })].map((event) => {
    const found = read(event);
    return (found as { readonly head: unknown }).head;
  });
  assert.equal(heads[0], heads[1]);
  assert.notEqual(heads[1], heads[2]);
});

test('what no member writes is no event', () => {
  const { body } = streamedMessage('a.plugin', queued());
  const bodies = {
    'no line behind the head': body.split('\n')[0] ?? '',
    'a payload that is no JSON': body.replace('{"amount":1', '{"amount":'),
    'no payload': `${body.split('\n')[0] ?? ''}\n`,
    'a moment that there is not': body.replace('2026-01-01T', '2026-99-99T'),
    'a day that its month does not have': body.replace('2026-01-01T', '2026-02-31T'),
    'a name with a quotation mark': body.replace('"orders"', '"ord\\"ers"'),
    'a missing name': body.replace('"kind":"placed",', ''),
    'a name that is a number': body.replace('"placed"', '7'),
    'hops that are a text': body.replace('000Z"', '000Z","hops":"1"'),
    'a head that is a list': '[]\n1',
    'a head that is null': 'null\n1',
    'nothing at all': '',
  };
  for (const [what, text] of Object.entries(bodies)) assert.equal(streamedEvent(text), undefined, what);
});

test('what only a later version understands is told apart, whatever else it holds', () => {
  assert.deepEqual(streamedEvent('{"protocol":1000,"new":true}\nno JSON'), { later: 1000 });
});
