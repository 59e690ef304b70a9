// A thread inside a native call that does not return cannot be ended. It is given up, shown and not waited for, and
// the daemon's own end still comes in time.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { daemonFindings } from '../../daemon/cli/doctor/running-daemon.ts';
import { HostError } from '../../protocol/errors.ts';
import { startTestDaemon } from '../labs/test-daemon.ts';
import { until } from '../labs/until.ts';

const lab = fileURLToPath(new URL('../fixtures/services/lab', import.meta.url));

test('a thread that does not end is answered for, counted, replaced, and does not keep the daemon from ending', async (t) => {
  const daemon = await startTestDaemon(t, { plugins: [lab], config: { limits: { killMs: 300, shutdownMs: 5000 } } });
  const client = await daemon.connect();
  const deliver = (payload: object): Promise<unknown> =>
    client.call('ingress.deliver', { plugin: 'test.lab', event: { ingress: 'work', kind: 'do', payload } });

  const began = Date.now();
  await assert.rejects(
    deliver({ do: 'native' }),
    (error: unknown) => error instanceof HostError && error.code === 'dispatch_timeout',
  );
  assert.ok(Date.now() - began < 2000, 'the caller waited for the thread');
  await client.call('service.start', { plugin: 'test.lab' });
  const { output } = (await deliver({ do: 'echo', value: 'goes on' })) as { output: unknown };
  assert.equal(output, 'goes on');
  while ((await client.call('daemon.status', {})).counts.unkillable === 0)
    await new Promise((resolve) => setTimeout(resolve, 20));
  const { diagnostics, unkillable } = await client.call('service.status', { plugin: 'test.lab' });
  assert.ok(diagnostics.some(({ event }) => event === 'unkillable'));
  assert.equal(unkillable, 1);
  const told = daemonFindings(await client.call('daemon.status', {}), daemon.socket).find(
    ({ check }) => check === 'threads',
  );
  assert.match(told?.message ?? '', /^1 thread of plugins could not be ended/, 'nagaya doctor says nothing of it');

  const stopping = Date.now();
  daemon.signal('SIGTERM');
  const ended = await daemon.ended;
  assert.ok(Date.now() - stopping < 5000);
  assert.deepEqual(ended, { code: null, signal: 'SIGKILL' }, 'a plain exit would have waited for the thread for ever');
  assert.ok(!existsSync(daemon.socket) && !existsSync(`${daemon.socket}.lock`));
});

test('a thread that was given up is counted only until it is gone, and the daemon then exits as if it had never been', async (t) => {
  const daemon = await startTestDaemon(t, { plugins: [lab], config: { limits: { killMs: 200, shutdownMs: 10_000 } } });
  const client = await daemon.connect();
  const threads = async (): Promise<number[]> => [
    (await client.call('daemon.status', {})).counts.unkillable,
    (await client.call('service.status', { plugin: 'test.lab' })).unkillable,
  ];
  const told = async (event: string): Promise<number> =>
    (await client.call('timeline.read', { plugin: 'test.lab', limit: 1000 })).entries.filter(
      (entry) => entry.event === event,
    ).length;
  // A second or more: long enough to outlast the ladder, and still an end.
  await assert.rejects(
    client.call('ingress.deliver', {
      plugin: 'test.lab',
      event: { ingress: 'work', kind: 'do', payload: { do: 'native', rounds: 1_500_000 } },
    }),
  );
  await until('the thread is given up', async () => (await threads()).join() === '1,1');
  assert.deepEqual(
    [await told('unkillable'), await told('killed'), await told('gone')],
    [1, 0, 0],
    'it is still there, and nothing says otherwise',
  );
  await until('the thread is gone', async () => (await threads()).join() === '0,0');
  assert.deepEqual([await told('killed'), await told('gone')], [0, 1]);
  assert.ok(
    !daemonFindings(await client.call('daemon.status', {}), daemon.socket).some(({ check }) => check === 'threads'),
  );
  daemon.signal('SIGTERM');
  assert.deepEqual(await daemon.ended, { code: 0, signal: null });
});
