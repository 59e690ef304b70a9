// What may be with a hosted server at once, wait for it and be sent to it is bounded, and so is its end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HostError } from '../../protocol/errors.ts';
import { plugin, startServer } from '../labs/hosted-lab.ts';
import { isGone } from '../labs/process-watch.ts';
import { until } from '../labs/until.ts';

const patienceMs = 60_000;

test('so many calls are with a server at once, so many wait, and those beyond are refused', async (t) => {
  const limits = { toolQueue: 2 };
  const { call, refusal, client } = await startServer(t, 'none', { concurrency: 2 }, {}, { limits });
  const pending = async (): Promise<number> => (await client.call('daemon.status', {})).counts.toolCallsPending;
  const together = [call('held'), call('held')];
  await until('both are with it', async () => (await pending()) === 2, patienceMs);
  // There is no place for it, so that it is not with the server at its deadline.
  const late = await refusal('echo', {}, 200);
  assert.equal(late.code, 'tool_timeout');
  assert.deepEqual([late.details['phase'], /waiting for the MCP server/.test(late.message)], ['queued', true]);
  const cancelled = client.call('tool.call', { plugin, tool: 'echo', callId: 'waits' });
  const waiting = call('echo', { message: 'waited' });
  await until('both wait', async () => (await pending()) === 4, patienceMs);
  const refused = await refusal('echo');
  assert.deepEqual([refused.code, refused.retryable], ['tool_overloaded', true]);
  await client.call('tool.cancel', { callId: 'waits' });
  await assert.rejects(cancelled, (thrown) => thrown instanceof HostError && thrown.code === 'tool_cancelled');
  assert.equal(await pending(), 3);
  // Nobody of those who are with it is answered unless the server is told to.
  const ends = Promise.allSettled([...together, waiting]);
  await client.call('service.stop', { plugin });
  await ends;
  assert.equal(await pending(), 0);
});

test('calls that wait go on as soon as one before them is answered', async (t) => {
  const { call } = await startServer(t, 'none', { concurrency: 2 });
  const first = call('held');
  const rest = Array.from({ length: 20 }, (_, at) => call('echo', { message: String(at) }));
  assert.deepEqual(
    await Promise.all(rest),
    Array.from({ length: 20 }, (_, at) => String(at)),
  );
  assert.equal(await call('let go'), 'done');
  assert.equal(await first, 'let go');
});

test('an input that is larger than a tool may have does not reach the server', async (t) => {
  const { call, refusal } = await startServer(t, 'none', {}, {}, { limits: { toolInputBytes: 2048 } });
  const refused = await refusal('echo', { message: 'x'.repeat(4096) });
  assert.deepEqual([refused.code, refused.details['limit']], ['payload_too_large', 'limits.toolInputBytes']);
  assert.equal(await call('echo', { message: 'small' }), 'small');
});

test('a server that does not read its input is ended before that fills the memory of the daemon', async (t) => {
  const limits = { toolInputBytes: 7_000_000 };
  const { call, refusal, pid } = await startServer(t, 'none', { concurrency: 100 }, {}, { limits });
  const first = await pid();
  assert.equal(await call('stop reading'), 'deaf');
  // Ten of these are less than 64 MiB, and eleven are more.
  const message = 'x'.repeat(6_500_000);
  const early = Array.from({ length: 10 }, () => refusal('echo', { message }, patienceMs));
  const last = await refusal('echo', { message }, patienceMs);
  for (const refused of [...(await Promise.all(early)), last]) {
    assert.equal(refused.code, 'tool_crashed');
    assert.match(refused.message, /does not read its input/);
  }
  await until('it is gone', () => isGone(first), patienceMs);
  assert.equal(await call('echo', { message: 'back' }, patienceMs), 'back');
});

test('a message that nests too deeply is no answer, and the server goes on', async (t) => {
  const { call, refusal, pid } = await startServer(t);
  const first = await pid();
  assert.equal((await refusal('deep', {}, 300)).code, 'tool_timeout');
  assert.equal(await pid(), first);
  assert.equal(await call('echo', { message: 'on' }), 'on');
});

test('a server that does not stop is ended when the time for that is over', async (t) => {
  const { pid, client } = await startServer(t, 'ignores signals', { timeouts: { stopMs: 300 } });
  const first = await pid();
  // It ignores the end of its input as long as a call is with it, and signals for ever.
  const hanging = client.call('tool.call', { plugin, tool: 'hang' }).catch((thrown: unknown) => thrown);
  await client.call('service.stop', { plugin });
  await until('it is gone', () => isGone(first), patienceMs);
  const outcome = await hanging;
  assert.ok(outcome instanceof HostError, 'the call has ended with it');
});

test('a server that fails again and again is given up, and those who wait for it are told', async (t) => {
  const restart = { policy: 'on-failure', intensity: 1, periodMs: 600_000, backoffMs: [1, 10] };
  const { refusal, call, client } = await startServer(t, 'none', { restart });
  assert.equal((await refusal('die')).code, 'tool_crashed');
  assert.equal(await call('echo', { message: 'back' }, patienceMs), 'back');
  assert.equal((await refusal('die')).code, 'tool_crashed');
  await until(
    'it is given up',
    async () => (await client.call('service.status', { plugin })).lifecycle === 'failed',
    patienceMs,
  );
  assert.equal((await refusal('echo')).code, 'service_failed');
  await client.call('service.start', { plugin });
  assert.equal(await call('echo', { message: 'again' }), 'again');
});
