// A trace of the daemon's system calls: the file is synced before a publish to a durable service is answered.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { startTestDaemon } from '../labs/test-daemon.ts';
import { spawn } from 'node:child_process';
import { until } from '../labs/until.ts';

const labFolder = fileURLToPath(new URL('../fixtures/services/lab', import.meta.url));
const hasStrace = spawnSync('strace', ['-f', '-e', 'trace=none', 'true']).status === 0;

test(
  'the store is synced after a publish has come and before it is answered',
  { skip: hasStrace ? false : 'strace is not here, or may not trace' },
  async (t) => {
    const folder = await temporaryFolder(t);
    const daemon = await startTestDaemon(t, { plugins: [labFolder], config: { store: { durability: 'disk' } } });
    const client = await daemon.connect();
    const publish = async (value: string): Promise<void> => {
      const event = { ingress: 'work', kind: 'do', payload: { do: 'echo', value } };
      const answer = await client.call('ingress.publish', { plugin: 'test.lab', event });
      assert.ok('accepted' in answer && answer.accepted);
    };
    await publish('opens the store');
    const path = join(folder, 'trace');
    const calls = 'trace=fdatasync,fsync,msync,write,writev,read,pwrite64,pwritev';
    const tracer = spawn('strace', ['-f', '-qq', '-s', '4000', '-e', calls, '-o', path, '-p', String(daemon.pid)]);
    t.after(() => void tracer.kill('SIGKILL'));
    const text = (): Promise<string> => readFile(path, 'utf8').catch(() => '');
    await until('the tracer is attached', async () => {
      await client.call('daemon.ping', {});
      return (await text()).includes('daemon.ping');
    });
    await publish('a mark of this publish');
    await until('the answer is traced', async () => answersOf(await text()).length > 0);
    const lines = (await text()).split('\n');
    // Another thread's call may come between the beginning of a read and its end.
    const asked = lines.findIndex(
      (line) => line.includes('a mark of this publish') && /read(?:\(| resumed>)/.test(line),
    );
    const answered = lines.findIndex((line, at) => at > asked && isAnswer(line));
    assert.ok(asked !== -1 && answered !== -1, 'the publish is not in the trace');
    const between = lines.slice(asked, answered);
    const synced = between.some(
      (line) =>
        /(?:fdatasync|fsync|msync)\(.*= 0/.test(line) || /<\.\.\. (?:fdatasync|fsync|msync) resumed>.*= 0/.test(line),
    );
    assert.ok(synced, `nothing was synced in between:\n${between.join('\n').slice(0, 4000)}`);
  },
);

test('the end of an event waits for the next publish or for ackMs, and makes no commit of its own before', async (t) => {
  const config = { store: { durability: 'disk' as const }, limits: { ackMs: 60_000 } };
  const daemon = await startTestDaemon(t, { plugins: [labFolder], config });
  const client = await daemon.connect();
  const commits = async (): Promise<number> => (await client.call('store.status', {})).counters.commits;
  const status = async () => await client.call('service.status', { plugin: 'test.lab' });
  const handleOne = async (value: number): Promise<void> => {
    const event = { ingress: 'work', kind: 'do', payload: { do: 'echo', value } };
    const answer = await client.call('ingress.publish', { plugin: 'test.lab', event });
    assert.ok('accepted' in answer && answer.accepted);
    await until('it is handled', async () => (await status()).counters.handled === value);
  };
  await handleOne(1);
  const before = await commits();
  for (let value = 2; value <= 11; value += 1) await handleOne(value);
  assert.equal((await commits()) - before, 10);
});

const isAnswer = (line: string): boolean => /writev?\(/.test(line) && line.includes('queueDepth');
const answersOf = (text: string): string[] => text.split('\n').filter(isAnswer);
