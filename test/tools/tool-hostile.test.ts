// What belongs to the host is out of a tool's reach, and what a tool breaks in its cell is its own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isolations, withTools } from '../labs/tool-lab.ts';

test('a tool in a thread sees no parent port', async () => {
  for (const isolation of ['pooled', 'fresh'] as const) {
    await withTools('hostile', { isolation }, async ({ call }) => {
      assert.deepEqual(await call('parentPort'), { imported: true, required: true, data: true }, isolation);
    });
  }
});

test('a tool in a process neither has nor cuts the channel to the host', async () => {
  await withTools('hostile', { isolation: 'process' }, async ({ call }) => {
    assert.deepEqual(await call('channel'), { send: 'undefined' });
    assert.equal(await call('ok'), 'fine');
  });
});

test('a tool that breaks JSON, MessagePort and the clock hurts only its own cell', async () => {
  for (const isolation of isolations) {
    await withTools('hostile', { isolation, limits: { toolThreads: 1 } }, async ({ call, tools }) => {
      // The pool's own answer may be lost by that: then the call ends at its deadline, and the cell with it.
      await call('patch', null, { timeoutMs: 3000 }).catch((error: unknown) =>
        assert.equal((error as { code?: string }).code, 'tool_timeout'),
      );
      await call('ok', null, { timeoutMs: 3000 }).catch((error: unknown) =>
        assert.equal((error as { code?: string }).code, 'tool_timeout'),
      );
      assert.equal(await call('ok'), 'fine', isolation);
      assert.equal(tools.pending, 0);
    });
  }
});
