// Which hosted server a resource or a prompt belongs to is asked for once, and again when it may have changed: the
// server says so, refuses, or was restarted.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { KeptLists } from '../../workers/mcp/hosted/kept-lists.ts';
import { connectNewer, startMcpLab } from '../labs/mcp-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { until } from '../labs/until.ts';

const program = fileURLToPath(new URL('../fixtures/mcp/servers/owning.mjs', import.meta.url));
const restart = { policy: 'on-failure', intensity: 100, periodMs: 60_000, backoffMs: [20, 50] };
const patienceMs = 60_000;

test('hosted servers list their resources and prompts once, and again when that may have changed', async (t) => {
  const folder = await temporaryFolder(t);
  const servers = { telling: ['one', 'two'], quiet: ['three'] };
  const plugins = Object.entries(servers).map(([id, owned]) => {
    const mcp = { command: process.execPath, args: [program, id, id, ...owned], restart };
    mkdirSync(join(folder, id));
    const manifest = { schemaVersion: 1, id, name: id, version: '1.0.0', mcp };
    writeFileSync(join(folder, id, 'plugin.json'), JSON.stringify(manifest));
    return join(folder, id);
  });
  const lab = await startMcpLab(t, { plugins });
  const control = await lab.daemon.connect();
  const tool = async (plugin: string, name: string, input: object = {}): Promise<string> => {
    const { output } = await control.call('tool.call', { plugin, tool: name, input, timeoutMs: 30_000 });
    return (output as { content: { text: string }[] }).content[0]?.text ?? '';
  };
  const runs = (plugin: string): Promise<void> =>
    until(
      `${plugin} runs`,
      async () => (await control.call('service.status', { plugin })).lifecycle === 'running',
      patienceMs,
    );
  await Promise.all(Object.keys(servers).map(runs));
  const client = await connectNewer(t, lab, 'stdio', { modern: false });
  const read = async (name: string): Promise<unknown> => {
    const { contents } = await client.readResource({ uri: name.includes(':') ? name : `any:${name}` });
    return (contents[0] as { text?: string } | undefined)?.text;
  };
  const prompt = async (name: string): Promise<unknown> =>
    (await client.getPrompt({ name, arguments: {} })).messages[0]?.content;
  /** How often both were asked for their resources, and for their prompts. */
  const asked = async (): Promise<string[]> => [await tool('telling', 'asked'), await tool('quiet', 'asked')];
  const has = (server: string): object => ({ type: 'text', text: `${server} has it` });

  await t.test('many reads and prompts at once ask each server for its lists once', async () => {
    const names = ['one', 'two', 'three'];
    assert.deepEqual(await Promise.all(names.map(read)), ['telling has it', 'telling has it', 'quiet has it']);
    await Promise.all(names.map(read));
    const prompts = ['telling__one', 'telling__two', 'quiet__three'];
    assert.deepEqual(await Promise.all(prompts.map(prompt)), ['telling', 'telling', 'quiet'].map(has));
    await Promise.all(prompts.map(prompt));
    assert.deepEqual(await asked(), ['1 1', '1 1']);
  });

  await t.test('a resource that no list has is found again where it was', async () => {
    assert.equal(await read('telling:at/home'), 'telling has it');
    const before = await asked();
    for (let times = 0; times < 3; times += 1) assert.equal(await read('telling:at/home'), 'telling has it');
    assert.deepEqual(await asked(), before);
  });

  await t.test('a server that says that its lists changed is asked again', async () => {
    const [before] = await asked();
    await tool('telling', 'own', { names: ['two', 'four'] });
    await until('the change has arrived', async () => (await read('four').catch(() => undefined)) === 'telling has it');
    assert.deepEqual(await prompt('telling__four'), has('telling'));
    await assert.rejects(prompt('telling__one'), /Unknown prompt/);
    const [now] = await asked();
    assert.notEqual(now, before);
    assert.equal(await read('two'), 'telling has it');
    assert.deepEqual((await asked())[0], now);
  });

  await t.test('a refusal is not the last word where a server does not say that its lists changed', async () => {
    await tool('quiet', 'own', { names: ['five'] });
    await tool('telling', 'own', { names: ['two', 'three'] });
    await until('it is found at the other', async () => (await read('three').catch(() => '')) === 'telling has it');
    assert.equal(await read('five'), 'quiet has it');
    assert.deepEqual(await prompt('quiet__five'), has('quiet'));
    await assert.rejects(prompt('quiet__three'), /Unknown prompt|has no three/);
    await assert.rejects(read('nowhere'), /has no any:nowhere/);
  });

  await t.test('a server that was restarted is asked again', async () => {
    await assert.rejects(tool('telling', 'die'));
    await runs('telling');
    await until('its first resources are there', async () => (await read('one').catch(() => '')) === 'telling has it');
    assert.match(await tool('telling', 'asked'), /^[1-9]/);
  });
});

test('what is kept of a server has bounds, and a list that was asked for before a change is not relied on', () => {
  const kept = new KeptLists();
  for (let number = 0; number < 5000; number += 1) kept.hasAnswered(`any:${String(number)}`);
  assert.equal(kept.hasResource('any:0'), false);
  assert.equal(kept.hasResource('any:4000'), true);
  const changes = kept.changesOf('prompts');
  kept.forget('prompts');
  kept.keep('prompts', { keys: ['old'], isWhole: true }, changes);
  assert.equal(kept.isWhole('prompts'), false);
  kept.keep('prompts', { keys: ['new'], isWhole: true }, kept.changesOf('prompts'));
  kept.keep('prompts', { keys: ['old'], isWhole: true }, changes);
  assert.deepEqual([kept.isWhole('prompts'), kept.keysOf('prompts')], [true, ['new']]);
  kept.forget('resources');
  assert.equal(kept.hasResource('any:4999'), false);
});
