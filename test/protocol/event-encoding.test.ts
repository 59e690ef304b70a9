// What a worker's event costs when many follow it: it is put together and encoded once for all of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodedOnce } from '../../daemon/control/projection.ts';
import type { WorkerEvent } from '../../protocol/runtime.ts';

const state = (to: 'idle' | 'busy'): WorkerEvent => ({
  type: 'state',
  at: '2026-01-01T00:00:00.000Z',
  cursor: to,
  state: to,
});

test('an event is projected once for all who are told it in turn, and each event has its own text', () => {
  let projected = 0;
  const encode = encodedOnce((event) => {
    projected += 1;
    return event;
  });
  const [busy, idle] = [state('busy'), state('idle')];
  for (let reader = 0; reader < 60; reader += 1) assert.deepEqual(JSON.parse(encode(busy).text), busy);
  assert.equal(projected, 1);
  assert.deepEqual(JSON.parse(encode(idle).text), idle);
  assert.deepEqual(JSON.parse(encode(busy).text), busy);
  assert.equal(projected, 3);
});
