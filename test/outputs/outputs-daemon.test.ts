// Outputs of a real daemon: commands follow the events that sent them, arrive in order, are tried again, and are kept
// where they cannot be delivered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nagaya } from '../labs/cli-process.ts';
import { circle, outputLab, receiver, sender, usualOutputs } from '../labs/output-lab.ts';
import { refusal } from '../labs/service-lab.ts';
import { until } from '../labs/until.ts';

for (const isolation of ['thread', 'process'] as const) {
  test(`${isolation}: commands of handled events arrive, those of failed ones never do`, async (t) => {
    const { send, publish, state, output, client } = await outputLab(t, { isolation });
    const ids = (await send(['next', { n: 1 }], ['next', { n: 2 }])) as string[];
    assert.match(ids[0] ?? '', /^[0-9a-f-]{36}\/1$/);
    assert.match(ids[1] ?? '', /^[0-9a-f-]{36}\/2$/);
    const { correlationId } = await publish({ send: [['next', { n: 3 }]], throws: 1 });
    await publish({ send: [['next', { n: 'never' }]], throws: 3 });
    await until('all are settled', async () => {
      const { counters } = await client.call('service.status', { plugin: sender });
      return counters.handled + counters.deadLettered === counters.enqueued;
    });
    await until('they have arrived', async () => ((await state(receiver))['got'] as unknown[]).length >= 3);
    assert.deepEqual(await state(receiver), {
      got: [{ n: 1 }, { n: 2 }, { n: 3 }],
      last: { source: sender, correlationId },
    });
    const { pending, sent, failed, deadLetters, lastError, type } = await output('next');
    assert.deepEqual(
      { pending, sent, failed, deadLetters, lastError, type },
      { pending: 0, sent: 3, failed: 0, deadLetters: 0, lastError: null, type: 'event' },
    );
  });

  test(`${isolation}: the answer of a tool comes back as an event, and a tool that fails for good is a dead letter`, async (t) => {
    const { send, state, output } = await outputLab(t, { isolation });
    await send(['words', { n: 21 }], ['words', { n: -1 }]);
    await until('the answer has come', async () => (await state(sender))['answers'] !== undefined);
    assert.deepEqual((await state(sender))['answers'], [{ doubled: 42 }]);
    await until('the other is dead', async () => (await output('words')).deadLetters === 1);
    assert.equal((await output('words')).lastError?.code, 'tool_failed');
  });

  test(`${isolation}: what cannot be sent is the plugin's own error`, async (t) => {
    const { send } = await outputLab(t, { isolation, config: { limits: { commandsPerEvent: 2, commandBytes: 1024 } } });
    assert.deepEqual(await send(['elsewhere', 1]), {
      code: 'output_not_found',
      message: 'The service declares no output "elsewhere"; it has next, words.',
    });
    assert.equal(((await send(['next', 'x'.repeat(2000)])) as { code: string }).code, 'command_too_large');
    assert.equal(((await send(['next', 1], ['next', 2], ['next', 3])) as { code: string }).code, 'too_many_commands');
  });
}

test('a target that is stopped or not loaded is tried again until it takes the command', async (t) => {
  const { send, state, output, client, folders } = await outputLab(t, { without: [receiver] });
  await send(['next', 1], ['next', 2, { key: 'other' }]);
  await until('it is tried again', async () => (await output('next')).failed >= 2);
  assert.equal((await output('next')).lastError?.code, 'plugin_not_found');
  assert.equal((await output('next')).state, 'retrying');
  await client.call('plugin.load', { path: folders.receiver });
  await client.call('service.start', { plugin: receiver });
  assert.deepEqual(await client.call('output.retry', { plugin: sender, output: 'next' }), { retried: 2 });
  await until('they have arrived', async () => (await output('next')).sent === 2);
  await until('they are handled', async () => ((await state(receiver))['got'] as unknown[] | undefined)?.length === 2);
});

test('what the target refuses is a dead letter at once, and can be sent again or discarded', async (t) => {
  const outputs = [{ name: 'next', type: 'event', plugin: receiver, ingress: 'in', kind: 'unknown' }];
  const { send, output, client } = await outputLab(t, { outputs });
  const [id] = (await send(['next', { secretless: true }])) as string[];
  assert.ok(id !== undefined);
  await until('it is dead', async () => (await output('next')).deadLetters === 1);
  const { deadLetters } = await client.call('output.show', { plugin: sender, output: 'next' });
  const [letter] = deadLetters;
  assert.deepEqual(
    [letter?.id, letter?.reason, letter?.error.code, letter?.body, letter?.attempts],
    [id, 'refused', 'invalid_event', { secretless: true }, 1],
  );
  const { entries } = await client.call('event.explain', { plugin: sender, event: id.slice(0, -2) });
  assert.ok(entries.some(({ event }) => event === 'command_dead'));
  assert.deepEqual(await client.call('output.retry', { plugin: sender, output: 'next', ids: [id] }), { retried: 1 });
  await until('it is dead again', async () => (await output('next')).deadLetters === 1);
  await assert.rejects(
    client.call('output.discard', { plugin: sender, output: 'next', ids: ['nothing/1'] }),
    refusal('command_not_found'),
  );
  assert.deepEqual(await client.call('output.discard', { plugin: sender, output: 'next', ids: [id] }), {
    discarded: 1,
  });
  assert.equal((await output('next')).deadLetters, 0);
  await assert.rejects(client.call('output.show', { plugin: sender, output: 'none' }), refusal('output_not_found'));
});

test('plugins that send in a circle are stopped by the number of hops', async (t) => {
  const { client, state } = await outputLab(t, { config: { limits: { hops: 5 } } });
  await client.call('ingress.publish', { plugin: circle, event: { ingress: 'in', kind: 'do', payload: 1 } });
  await until('the circle is broken', async () => {
    const { outputs } = await client.call('output.list', { plugin: circle });
    return outputs[0]?.deadLetters === 1;
  });
  assert.deepEqual(await state(circle), { rounds: 6 });
  const { deadLetters } = await client.call('output.show', { plugin: circle, output: 'again' });
  assert.equal(deadLetters[0]?.error.code, 'hops_exceeded');
});

test('beyond limits.pendingCommands the service is paused, and goes on once they are delivered', async (t) => {
  const { publish, output, client } = await outputLab(t, {
    without: [receiver],
    config: { limits: { pendingCommands: 20 } },
  });
  for (let count = 0; count < 200; count += 1) await publish({ send: [['next', count]] });
  await until('it is paused', async () => (await output('next')).pending >= 20);
  const { queue, outputs } = await client.call('service.status', { plugin: sender });
  assert.ok(queue.depth > 0, 'nothing waits although the service is paused');
  assert.equal(outputs[0]?.name, 'next');
  // What was in flight when it was paused is handled.
  assert.ok((await output('next')).pending < 200);
  const pending = (await client.call('output.show', { plugin: sender, output: 'next' })).pending.map(({ id }) => id);
  await until('it goes on after room was made', async () => {
    const now = (await client.call('output.show', { plugin: sender, output: 'next' })).pending.map(({ id }) => id);
    if (now.length > 0)
      await client.call('output.discard', { plugin: sender, output: 'next', ids: now }).catch(() => undefined);
    return (await client.call('service.status', { plugin: sender })).counters.handled === 200;
  });
  assert.ok(pending.length > 0);
});

test('the story of an event tells from whom it came, and what became of each of its commands', async (t) => {
  const outputs = [
    ...usualOutputs,
    { name: 'refused', type: 'event', plugin: receiver, ingress: 'in', kind: 'unknown' },
    { name: 'nobody', type: 'event', plugin: 'test.nobody', ingress: 'in', kind: 'do' },
  ];
  const { publish, output, client, daemon } = await outputLab(t, { outputs });
  const { eventId } = await publish({
    send: [
      ['next', 1],
      ['refused', 2],
      ['nobody', 3],
    ],
    throws: 1,
  });
  await until('one is delivered', async () => (await output('next')).sent === 1);
  await until('one is dead', async () => (await output('refused')).deadLetters === 1);
  await until('one is tried again', async () => (await output('nobody')).failed >= 1);
  const { events, commands } = await client.call('event.explain', { plugin: sender, event: eventId });
  assert.deepEqual(
    events.map(({ source, ingress, kind, outcome, attempt }) => [source, ingress, kind, outcome, attempt]),
    [
      ['client', 'in', 'do', 'threw', 1],
      ['client', 'in', 'do', 'handled', 2],
    ],
  );
  assert.deepEqual(
    commands.map(({ id, output: name, state, error }) => [id, name, state, error?.code]),
    [
      [`${eventId}/1`, 'next', 'sent', undefined],
      [`${eventId}/2`, 'refused', 'dead', 'invalid_event'],
      [`${eventId}/3`, 'nobody', 'pending', 'plugin_not_found'],
    ],
  );
  const told = await nagaya(t, ['explain', sender, '--event', eventId, '--socket', daemon.socket]);
  assert.match(told.stdout, /received from client through in as do, accepted and queued/);
  assert.match(told.stdout, /its command 1 to the output next was delivered/);
  assert.match(told.stdout, /its command 2 to the output refused became a dead letter: invalid_event/);
  assert.match(told.stdout, /its command 3 to the output nobody is not delivered yet: \d+ attempts?/);
  // At the receiver, the event came from the plugin that sent it.
  const there = await client.call('event.explain', { plugin: receiver, event: events[0]?.correlationId ?? '' });
  assert.equal(there.events[0]?.source, sender);
});
