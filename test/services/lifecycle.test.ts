import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LifecycleCause, acceptsEvents, nextState } from '../../daemon/services/lifecycle.ts';
import { lifecycle } from '../../protocol/status.ts';

const states = lifecycle.options;
const causes: LifecycleCause[] = ['start', 'stop', 'restart', 'started', 'start_failed', 'stopped', 'cell_ended', 'cell_overran'];

test('a service goes from ready through starting, running and stopping to stopped, and can start again', () => {
  assert.equal(nextState('ready', 'start'), 'starting');
  assert.equal(nextState('starting', 'started'), 'running');
  assert.equal(nextState('running', 'stop'), 'stopping');
  assert.equal(nextState('stopping', 'stopped'), 'stopped');
  assert.equal(nextState('stopped', 'start'), 'starting');
  assert.equal(nextState('failed', 'start'), 'starting');
});

test('a service fails only from starting and running, never once it was told to stop', () => {
  for (const state of states) {
    const fails = causes.some((cause) => nextState(state, cause) === 'failed');
    assert.equal(fails, ['starting', 'running'].includes(state), state);
  }
});

test('what the table does not hold is refused', () => {
  assert.equal(nextState('ready', 'stop'), undefined);
  assert.equal(nextState('running', 'start'), undefined);
  assert.equal(nextState('stopped', 'cell_ended'), undefined);
  assert.equal(nextState('failed', 'cell_ended'), undefined);
});

test('nothing returns to ready, and every state but ready can be reached', () => {
  const reached = new Set(states.flatMap((state) => causes.map((cause) => nextState(state, cause))));
  assert.ok(!reached.has('ready'));
  for (const state of states) assert.ok(state === 'ready' || reached.has(state), state);
});

test('events are queued while starting and running, and while a failed or restarting service comes back', () => {
  assert.deepEqual(states.filter((state) => acceptsEvents(state, false)), ['starting', 'running']);
  assert.deepEqual(states.filter((state) => acceptsEvents(state, true)), ['starting', 'running', 'stopping', 'failed']);
});
