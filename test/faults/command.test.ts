// `nagaya faults` as a person runs it: the table on standard output, progress beside it, and an exit code to rely on.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { KitReport } from '../../daemon/faults/kit.ts';
import type { PluginReport } from '../../daemon/faults/own/try-plugin.ts';
import { examplesFolder, nagaya } from '../labs/cli-process.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';

const patient = { timeoutMs: 120_000 };

test('one fault: a row on standard output, its progress on standard error, exit code 0', async (t) => {
  const ran = await nagaya(t, ['faults', '--only', 'throw-null', '--isolation', 'thread'], patient);
  assert.equal(ran.code, 0, ran.stderr);
  assert.match(ran.stdout, /throw-null\s+contained\s+dispatch_failed/);
  assert.match(ran.stdout, /1 of 1 contained/);
  assert.match(ran.stderr, /1\/1 service\/thread throw-null: contained/);
});

test('with --json and --tools: one document with every figure', async (t) => {
  const ran = await nagaya(
    t,
    ['faults', '--only', 'throw-null', '--tools', '--isolation', 'pooled', '--json'],
    patient,
  );
  assert.equal(ran.code, 0, ran.stderr);
  const { places, goals } = JSON.parse(ran.stdout) as KitReport;
  assert.deepEqual(
    places.map(({ place }) => place),
    ['tool/pooled'],
  );
  assert.equal(places[0]?.rows[0]?.answered, 'tool_failed');
  assert.deepEqual(goals, { answerMs: 50, neighbourMs: 100, recoveryMs: 250 });
});

test('what there is not is refused with what there is', async (t) => {
  for (const args of [
    ['--only', 'no-such-fault'],
    ['--isolation', 'pooled'],
    ['--tools', '--isolation', 'thread'],
    ['--plugin', examplesFolder, '--payload', '{'],
  ]) {
    const ran = await nagaya(t, ['faults', ...args], patient);
    assert.equal(ran.code, 2, args.join(' '));
  }
  const listed = await nagaya(t, ['faults', '--list'], patient);
  assert.match(listed.stdout, /sync-loop\s+loops for ever\s+hold it/);
});

test('a plugin that is well made comes through every condition', async (t) => {
  const ran = await nagaya(t, ['faults', '--plugin', join(examplesFolder, 'greeter'), '--json'], patient);
  const { plugin, findings } = JSON.parse(ran.stdout) as PluginReport;
  assert.equal(plugin, 'example.greeter');
  assert.deepEqual(
    findings.filter(({ verdict }) => verdict !== 'fine'),
    [],
  );
  assert.deepEqual(
    findings.map(({ condition }) => condition),
    ['calm', 'flood', 'malformed', 'oversized', 'killed', 'squeezed', 'cycles', 'shutdown'],
  );
  assert.equal(ran.code, 0);
});

test('a plugin that exits over a payload it did not expect, and is slow, is told so; exit code 1', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, {
    'plugin.json': {
      schemaVersion: 1,
      id: 'clumsy',
      name: 'Clumsy',
      version: '1.0.0',
      entry: './index.js',
      service: {
        ingresses: [{ name: 'in', kinds: ['a'] }],
        queue: { capacity: 8 },
        timeouts: { handleMs: 500, stopMs: 1000 },
      },
    },
    'package.json': '{ "type": "module" }',
    'index.js': `export const service = {
      start() {},
      async handleIngress({ payload }) {
        if (payload === null || payload.name === undefined) process.exit(1);
        await new Promise((resolve) => setTimeout(resolve, 80));
      },
    };`,
  });
  const ran = await nagaya(t, ['faults', '--plugin', folder, '--payload', '{"name":"Ada"}', '--json'], patient);
  const { findings } = JSON.parse(ran.stdout) as PluginReport;
  const verdicts = Object.fromEntries(findings.map(({ condition, verdict }) => [condition, verdict]));
  assert.equal(verdicts['calm'], 'fine');
  assert.equal(verdicts['malformed'], 'mishandled');
  assert.equal(verdicts['squeezed'], 'lost');
  assert.equal(ran.code, 1);
});
