import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type LifecycleCause,
  type Phase,
  acceptsEvents,
  lifecycleOf,
  nextPhase,
} from '../../daemon/services/lifecycle.ts';
import { lifecycle } from '../../protocol/status.ts';

const phases: Phase[] = [
  'ready',
  'starting',
  'running',
  'reloading',
  'handingOver',
  'restarting',
  'stopping',
  'stopped',
  'failed',
];
const causes: LifecycleCause[] = [
  'start',
  'stop',
  'reload',
  'restart',
  'started',
  'start_failed',
  'stopped',
  'cell_ended',
  'cell_overran',
  'takes_over',
  'reloaded',
  'reload_failed',
];

/** The phases that follow one after the other. */
const along = (from: Phase, ...by: LifecycleCause[]): (Phase | undefined)[] => {
  let phase: Phase | undefined = from;
  return by.map((cause) => (phase = phase === undefined ? undefined : nextPhase(phase, cause)));
};

test('a service goes from ready through starting, running and stopping to stopped, and can start again', () => {
  assert.deepEqual(along('ready', 'start', 'started', 'stop', 'stopped', 'start'), [
    'starting',
    'running',
    'stopping',
    'stopped',
    'starting',
  ]);
  assert.deepEqual(along('failed', 'start'), ['starting']);
});

test('a restart goes through the end of the old incarnation to a start, and becomes a stop when one comes', () => {
  assert.deepEqual(along('running', 'restart', 'stopped', 'started'), ['restarting', 'starting', 'running']);
  assert.deepEqual(along('running', 'restart', 'stop', 'stopped'), ['restarting', 'stopping', 'stopped']);
});

test('a reload runs on in the old incarnation until the new one takes over, and a stop or a restart may cut it at any time', () => {
  assert.deepEqual(along('running', 'reload', 'takes_over', 'reloaded'), ['reloading', 'handingOver', 'running']);
  assert.deepEqual(along('running', 'reload', 'reload_failed'), ['reloading', 'running']);
  for (const phase of ['reloading', 'handingOver'] as const) {
    assert.deepEqual(
      [nextPhase(phase, 'stop'), nextPhase(phase, 'restart'), nextPhase(phase, 'reload')],
      ['stopping', 'restarting', undefined],
    );
  }
});

test('a service fails only from starting and running, never once it was told to stop', () => {
  for (const phase of phases) {
    const fails = causes.some((cause) => nextPhase(phase, cause) === 'failed');
    assert.equal(fails, ['starting', 'running'].includes(lifecycleOf(phase)), phase);
  }
});

test('what the table does not hold is refused', () => {
  assert.equal(nextPhase('ready', 'stop'), undefined);
  assert.equal(nextPhase('running', 'start'), undefined);
  assert.equal(nextPhase('stopped', 'cell_ended'), undefined);
  assert.equal(nextPhase('failed', 'cell_ended'), undefined);
  assert.equal(nextPhase('stopping', 'start'), undefined);
});

test('nothing returns to ready, every other phase can be reached, and every lifecycle has a phase', () => {
  const reached = new Set(phases.flatMap((phase) => causes.map((cause) => nextPhase(phase, cause))));
  assert.ok(!reached.has('ready'));
  for (const phase of phases) assert.ok(phase === 'ready' || reached.has(phase), phase);
  assert.deepEqual(new Set(phases.map(lifecycleOf)), new Set(lifecycle.options));
});

test('from every phase but ready a stop leads to stopped', () => {
  for (const phase of phases.filter((one) => one !== 'ready' && one !== 'stopped')) {
    const stopping = phase === 'stopping' ? phase : nextPhase(phase, 'stop');
    assert.equal(stopping, 'stopping', phase);
  }
  assert.equal(nextPhase('stopping', 'stopped'), 'stopped');
});

test('events are queued while starting, running and restarting, and while a failed service comes back', () => {
  const accepting = ['starting', 'running', 'reloading', 'handingOver', 'restarting'];
  assert.deepEqual(
    phases.filter((phase) => acceptsEvents(phase, false)),
    accepting,
  );
  assert.deepEqual(
    phases.filter((phase) => acceptsEvents(phase, true)),
    [...accepting, 'failed'],
  );
});
