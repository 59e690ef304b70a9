// A failure is told in all three places with the same code, the same ids and the same number.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HostError } from '../../protocol/errors.ts';
import { tellFailure } from '../../daemon/services/tell-failure.ts';

test('timeline, log and feed are told of a failure alike, and only the log has its stack', () => {
  const told: Record<string, unknown> = {};
  const error = new HostError('cell_crashed', 'The cell ended.', { reason: 'exit' });
  const ids = { eventId: 'e', correlationId: 'c' };
  tellFailure(
    {
      timeline: (entry) => (told['timeline'] = entry),
      feed: (event) => (told['feed'] = event),
      log: (level, message, fields) => (told['log'] = { level, message, ...fields }),
    },
    error,
    { pluginId: 'p', at: '2026-01-01T00:00:00.000Z', incarnation: 3, ids, stack: 'Error: exit' },
  );
  assert.deepEqual(told, {
    timeline: {
      level: 'error',
      event: 'cell_crashed',
      message: 'The cell ended.',
      incarnation: 3,
      ...ids,
      data: { reason: 'exit' },
    },
    log: {
      level: 'error',
      message: 'The cell ended.',
      incarnation: 3,
      code: 'cell_crashed',
      ...ids,
      stack: 'Error: exit',
    },
    feed: {
      topic: 'failure',
      at: '2026-01-01T00:00:00.000Z',
      plugin: 'p',
      data: { ...error.toWire(), incarnation: 3, ...ids },
    },
  });
});
