// The registry behind tool.cancel.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ToolCalls } from '../../daemon/tools/tool-calls.ts';
import { HostError } from '../../protocol/errors.ts';

const caller = (): AbortController => new AbortController();

test('a call is cancelled by its name, once, and only while it is pending', () => {
  const calls = new ToolCalls();
  const call = calls.begin('mine', caller().signal);
  assert.equal(calls.cancel('other'), false);
  assert.equal(call.signal.aborted, false);
  assert.equal(calls.cancel('mine'), true);
  assert.equal(call.signal.aborted, true);
  assert.equal(call.signal.reason, 'tool.cancel');
  assert.equal(calls.cancel('mine'), false);
  call.end();
  assert.equal(calls.cancel('mine'), false);
});

test("a call ends with its caller, for the caller's reason", () => {
  const calls = new ToolCalls();
  const gone = caller();
  const named = calls.begin('named', gone.signal);
  gone.abort('the connection was closed');
  assert.equal(named.signal.reason, 'the connection was closed');
  assert.equal(calls.cancel('named'), false, 'it is ending already');
  assert.equal(calls.begin('later', gone.signal).signal.reason, 'the connection was closed');
});

test('a name that is pending cannot be taken, and is free again after its call', () => {
  const calls = new ToolCalls();
  const first = calls.begin('name', caller().signal);
  assert.throws(
    () => calls.begin('name', caller().signal),
    (error) =>
      error instanceof HostError &&
      error.code === 'invalid_request' &&
      JSON.stringify(error.details['issues']).includes('callId'),
  );
  first.end();
  const second = calls.begin('name', caller().signal);
  first.end();
  assert.equal(calls.cancel('name'), true, "the end of the first call does not free the second one's name");
  assert.equal(second.signal.aborted, true);
});

test('however many calls a caller has, its signal has one listener', () => {
  const calls = new ToolCalls();
  const gone = caller();
  const { signal } = gone;
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  signal.addEventListener = (...values: Parameters<typeof add>) => {
    listeners += 1;
    add(...values);
  };
  for (let round = 0; round < 100; round += 1) calls.begin(`ended-${String(round)}`, signal).end();
  const pending = Array.from({ length: 100 }, (_, index) => calls.begin(`pending-${String(index)}`, signal));
  assert.equal(listeners, 1);
  pending[50]?.end();
  gone.abort('the connection was closed');
  for (const [index, call] of pending.entries()) assert.equal(call.signal.aborted, index !== 50, String(index));
});
