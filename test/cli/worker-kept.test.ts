// From outside, on the command line: what a worker keeps in ctx.state survives a daemon that is killed, for cells of
// both kinds, and an input that ran then has changed nothing.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type ServedDaemon, jsonLines, serve, temporaryFolder } from '../labs/cli-process.ts';
import { newWorker } from '../labs/cli-worker-lab.ts';
import { until } from '../labs/until.ts';

const id = 'test.kept';

function keeper(folder: string, isolation: 'thread' | 'process'): string {
  const target = join(folder, 'plugin');
  mkdirSync(target);
  const profiles = [{ name: 'count' }];
  writeFileSync(
    join(target, 'plugin.json'),
    JSON.stringify({ schemaVersion: 1, id, name: 'K', version: '1.0.0', entry: './index.mjs', isolation, profiles }),
  );
  writeFileSync(
    join(target, 'index.mjs'),
    `export const profiles = { count: { async onInput(input, ctx) {
       ctx.state.set('inputs', (ctx.state.get('inputs') ?? 0) + 1);
       ctx.state.set('last', input.content);
       ctx.say('has begun');
       if (input.content === 'hangs') await new Promise(() => setInterval(() => {}, 1000));
     } } };`,
  );
  return target;
}

async function killed(daemon: ServedDaemon): Promise<void> {
  process.kill((jsonLines(daemon.running.stdout())[0] as { pid: number }).pid, 'SIGKILL');
  await daemon.running.ended;
}

async function transcript(daemon: ServedDaemon, worker: string): Promise<string[]> {
  const { stdout } = await daemon.nagaya(['worker', 'transcript', worker, '--json']);
  return jsonLines(stdout).flatMap((page) =>
    ((page as { items?: { content: string }[] }).items ?? [page as { content: string }]).map(({ content }) => content),
  );
}

async function survives(t: TestContext, isolation: 'thread' | 'process'): Promise<void> {
  const folder = temporaryFolder(t);
  const args = ['--no-guardian', '--state', join(folder, 'state')];
  const first = await serve(t, args);
  await first.json(['load', keeper(folder, isolation)]);
  const worker = await newWorker(first, '--profile', `${id}:count`);
  for (const input of ['one', 'two'])
    assert.equal((await first.nagaya(['worker', 'send', worker, input, '--wait'])).code, 0);
  await first.json(['worker', 'send', worker, 'hangs']);
  await first.json(['worker', 'send', worker, 'three']);
  await until(
    'the input runs',
    async () => (await transcript(first, worker)).filter((said) => said === 'has begun').length === 3,
  );
  await killed(first);

  const next = await serve(t, args);
  const kept = { inputs: 3, last: 'three' };
  await until('what waited has run', async () =>
    JSON.stringify(await next.json(['worker', 'state', worker])).includes('three'),
  );
  assert.deepEqual(((await next.json(['worker', 'state', worker])) as { state: unknown }).state, kept);
  assert.equal((await transcript(next, worker)).filter((said) => said.startsWith('interrupted: ')).length, 1);
  await killed(next);

  const last = await serve(t, args);
  assert.deepEqual(((await last.json(['worker', 'state', worker])) as { state: unknown }).state, kept);
}

for (const isolation of ['thread', 'process'] as const)
  test(`a worker in a ${isolation} has its ctx.state after the daemon was killed, without what the input that ran had changed`, (t) =>
    survives(t, isolation));
