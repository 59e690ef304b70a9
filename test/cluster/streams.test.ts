// The queue of a `one` service is a stream: bounded, each key once, with retries and dead letters.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { HostError } from '../../protocol/errors.ts';
import { noServer, startMember, startNats } from '../labs/nats-lab.ts';
import { holderOf, number, plugin, statusOf, writePlacedPlugin } from '../labs/placed-plugin.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { untilAnswer } from '../labs/until.ts';

const skip = noServer;

test('a full stream refuses with queue_full, and a key is accepted once', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const plugins = [writePlacedPlugin(folder, { id: plugin, queue: { capacity: 3 } })];
  const nats = await startNats(t);
  const member = await startMember(t, nats, 'one', { plugins });
  await holderOf([member]);
  const { client } = member;
  const gate = join(folder, 'gate');
  await client.call('ingress.publish', { plugin, event: number(0, { gate }) });
  const key = { idempotencyKey: 'k-1' };
  const first = await client.call('ingress.publish', { plugin, event: { ...number(1), ...key } });
  const again = await client.call('ingress.publish', { plugin, event: { ...number(1), ...key } });
  assert.ok('eventId' in first && 'eventId' in again);
  assert.equal(again.duplicate, true);
  assert.equal(again.eventId, first.eventId);
  await client.call('ingress.publish', { plugin, event: number(2) });
  await assert.rejects(
    () => client.call('ingress.publish', { plugin, event: number(3) }),
    (error: HostError) => error.code === 'queue_full' && typeof error.details['retryAfterMs'] === 'number',
  );
  writeFileSync(gate, '');
  await untilAnswer(
    'the three',
    () => statusOf(member),
    ({ counters }) => counters.handled === 3,
  );
});

test('a handler that throws is tried again, and what is used up is a dead letter', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const retry = { maxAttempts: 3, backoffMs: [10, 20] };
  const plugins = [writePlacedPlugin(folder, { id: plugin, retry })];
  const nats = await startNats(t);
  const members = await Promise.all(['one', 'two'].map((name) => startMember(t, nats, name, { plugins })));
  const holder = await holderOf(members);
  const other = members.find((member) => member !== holder);
  assert.ok(other !== undefined);
  await other.client.call('ingress.publish', {
    plugin,
    events: [number(1, { failures: 2 }), number(2, { failures: 9 })],
  });
  const { counters } = await untilAnswer(
    'both ended',
    () => statusOf(holder),
    ({ counters: now }) => now.handled === 1 && now.deadLettered === 1,
  );
  assert.equal(counters.threw, 5);
  const { deadLetters } = await other.client.call('deadLetter.list', { plugin });
  assert.equal(deadLetters.length, 1);
});
