// What a durable service has changed and sent with an event survives kill -9 of the daemon, together or not at all.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { outputLab, receiver, sender } from '../labs/output-lab.ts';
import { until } from '../labs/until.ts';

test('commands that wait when the daemon is killed are delivered by the next one, each once, in order', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'nagaya-commands-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const first = await outputLab(t, { folder, without: [receiver] });
  const count = 20;
  for (let n = 0; n < count; n += 1) await first.publish({ send: [['next', n]], throws: n % 5 === 0 ? 1 : 0 });
  await until('all are handled', async () => {
    const { counters } = await first.client.call('service.status', { plugin: sender });
    return counters.handled === count;
  });
  first.daemon.signal('SIGKILL');
  await first.daemon.ended;
  const second = await outputLab(t, { folder });
  await until(
    'all have arrived',
    async () => {
      await second.client.call('output.retry', { plugin: sender, output: 'next' });
      return ((await second.state(receiver))['got'] as number[] | undefined)?.length === count;
    },
    30_000,
  );
  const got = (await second.state(receiver))['got'] as number[];
  assert.deepEqual(
    [...got].sort((one, other) => one - other),
    Array.from({ length: count }, (_, n) => n),
  );
  await until('nothing waits', async () => (await second.output('next')).pending === 0);
  // Those that were never tried again keep their order.
  const straight = got.filter((n) => n % 5 !== 0);
  assert.deepEqual(
    straight,
    [...straight].sort((one, other) => one - other),
  );
});
