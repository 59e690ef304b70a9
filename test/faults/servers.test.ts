// The quick part of the faults kit for hosted MCP servers; `nagaya faults --mcp` is the whole of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groups, serverPlace } from '../../daemon/faults/fault.ts';
import { serverFaultIds, serverFaults } from '../../daemon/faults/server-catalogue.ts';
import { assertContained } from '../labs/faults-lab.ts';

test('each way to misbehave is known once, and has its code', async () => {
  assert.ok(serverFaults.length >= 15);
  assert.equal(new Set(serverFaultIds).size, serverFaultIds.length);
  const module = new URL('../../daemon/faults/plugins/server-deeds.js', import.meta.url).href;
  const { deeds } = (await import(module)) as { readonly deeds: Record<string, unknown> };
  for (const { id, group } of serverFaults) {
    assert.ok(group in groups, id);
    assert.ok(id in deeds, id);
  }
  assert.deepEqual(Object.keys(deeds).sort(), [...serverFaultIds].sort());
});

test('a server that does not start right is refused, and comes back when it is repaired', async () => {
  await assertContained(serverPlace, [
    'mcp-exits-at-start',
    'mcp-refuses-initialize',
    'mcp-garbage-at-start',
    'mcp-unknown-version',
    'mcp-many-tools',
  ]);
});

test('a server that misbehaves in a call fails that call alone', async () => {
  await assertContained(serverPlace, [
    'mcp-dies-in-call',
    'mcp-garbage',
    'mcp-flood',
    'mcp-long-line',
    'mcp-deep-answer',
    'mcp-batch-bomb',
    'mcp-huge-answer',
    'mcp-wrong-id',
    'mcp-answers-twice',
  ]);
});

test('a server that closes its streams, asks for a model, forks or floods is contained', async () => {
  await assertContained(serverPlace, [
    'mcp-closes-stdout',
    'mcp-list-storm',
    'mcp-stderr-flood',
    'mcp-asks-for-model',
    'mcp-forks',
    'mcp-ignores-signals',
  ]);
});
