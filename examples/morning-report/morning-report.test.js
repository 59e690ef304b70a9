import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { testPlugin } from 'nagaya/sdk';
import { startBoard } from './board.js';

const due = (day) => ({ scheduledAt: `${day}T05:00:00.000Z`, firedAt: `${day}T05:00:00.004Z`, missed: false, manual: false });

test('asks the worker when it is due, and posts what that has written', async (t) => {
  const plugin = await testPlugin(import.meta.dirname);
  t.after(() => plugin.close());
  await plugin.emit('morning', due('2026-05-04'));
  await plugin.deliver({ content: 'All is well.' }, { ingress: 'answers', kind: 'report' });
  const sent = await plugin.sent();
  assert.deepEqual(
    sent.map(({ output, body }) => [output, body]),
    [
      ['writer', 'Write the report of 2026-05-04.'],
      ['board', { text: 'All is well.' }],
    ],
  );
});

test('goes the whole way, and the worker knows the reports before', async (t) => {
  const reports = [];
  const board = await startBoard({ port: 0, posted: (text) => reports.push(text) });
  t.after(() => board.close());
  const plugin = await testPlugin(import.meta.dirname, {
    outputs: 'delivered',
    overrides: { outputs: { board: { url: `http://127.0.0.1:${board.address().port}/reports` } } },
  });
  t.after(() => plugin.close());
  for (const [at, day] of ['2026-05-04', '2026-05-05'].entries()) {
    await plugin.emit('morning', due(day));
    while (reports.length === at) await delay(20, undefined, { signal: t.signal });
  }
  assert.deepEqual(reports, [
    'Report 1: nothing is known to have gone wrong on 2026-05-04.',
    'Report 2: nothing is known to have gone wrong on 2026-05-05.',
  ]);
});
