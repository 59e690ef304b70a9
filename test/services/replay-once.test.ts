// A dead letter that is named twice in one replay is one event all the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startTestDaemon } from '../labs/test-daemon.ts';

const lab = fileURLToPath(new URL('../fixtures/services/lab', import.meta.url));

test('a replay publishes a letter once, also where its id is given twice', async (t) => {
  const daemon = await startTestDaemon(t, { plugins: [lab] });
  const client = await daemon.connect();
  await client.call('ingress.publish', {
    plugin: 'test.lab',
    event: { ingress: 'work', kind: 'do', payload: { do: 'exit', code: 1 } },
  });
  const newest = async (): Promise<{ readonly id: string } | undefined> =>
    (await client.call('deadLetter.list', { plugin: 'test.lab' })).deadLetters[0];
  for (const endMs = performance.now() + 20_000; (await newest()) === undefined; await sleep(10)) {
    assert.ok(performance.now() < endMs);
    // Its restart policy is never: each attempt needs a start.
    await client.call('service.start', { plugin: 'test.lab' });
  }
  await client.call('service.start', { plugin: 'test.lab' });
  const letter = await newest();
  assert.ok(letter !== undefined);
  const before = (await client.call('service.status', { plugin: 'test.lab' })).counters.enqueued;
  const { results } = await client.call('deadLetter.replay', { plugin: 'test.lab', ids: [letter.id, letter.id] });
  assert.deepEqual(
    results.map(({ id }) => id),
    [letter.id],
  );
  assert.equal((await client.call('service.status', { plugin: 'test.lab' })).counters.enqueued, before + 1);
});
