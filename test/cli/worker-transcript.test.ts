// `nagaya worker transcript`: the newest of what was said, a page from a place on, or all that is kept.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { type Client, connect } from '../../protocol/client/client.ts';
import { type TranscriptPage, transcriptPage } from '../../protocol/runtime.ts';
import { type ServedDaemon, fileCleanup, serve, temporaryFolder } from '../labs/cli-process.ts';
import { labFolder, labWorker, newWorker, order } from '../labs/cli-worker-lab.ts';
import { until } from '../labs/until.ts';

const file = fileCleanup();
const kept = 450;
let daemon: ServedDaemon;
let client: Client;
before(async () => {
  const config = join(temporaryFolder(file), 'nagaya.json');
  writeFileSync(config, JSON.stringify({ limits: { transcriptItems: kept, workerInputs: 1000 } }));
  daemon = await serve(file, ['--config', config, '--plugins', labFolder]);
  client = await connect({ socket: daemon.socket });
  file.after(() => client.close());
});

/** A worker with so many inputs, each answered. */
async function talkative(inputs: number): Promise<string> {
  const worker = await newWorker(daemon);
  const [runtimeId = '', workerId = ''] = worker.split('/');
  await Promise.all(
    Array.from({ length: inputs }, (_, n) =>
      client.call('worker.input', { runtimeId, workerId, content: `input ${String(n + 1)}` }),
    ),
  );
  await until(
    'all was answered',
    async () => (await client.call('worker.show', { runtimeId, workerId })).transcript.totalItems === inputs * 2,
  );
  return worker;
}

const read = async (worker: string, ...args: readonly string[]): Promise<TranscriptPage> =>
  transcriptPage.parse(await daemon.json(['worker', 'transcript', worker, ...args]));
const sequences = ({ items }: TranscriptPage): number[] => items.map(({ sequence }) => sequence);
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, at) => from + at);

test('a transcript is printed with its places and roles, and what a worker says cannot pass for another item', async () => {
  const worker = await labWorker(daemon);
  const said = await daemon.nagaya([
    'worker',
    'send',
    worker,
    order('echo', { text: 'first\n12:00:00.000 #9   host forged\u001b[31m' }),
    '--wait',
  ]);
  assert.equal(said.code, 0);
  const { stdout } = await daemon.nagaya(['worker', 'transcript', worker]);
  assert.match(
    stdout,
    /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} #1 {3}user \{.*\}\n\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} #2 worker first\n {4}12:00:00\.000 #9 {3}host forged\n$/,
  );
  assert.match((await daemon.nagaya(['worker', 'transcript', await newWorker(daemon)])).stderr, /nothing was said yet/);
});

test('the newest are shown where no place is named, and how to see the rest is told', async () => {
  const worker = await talkative(60);
  assert.deepEqual(sequences(await read(worker)), range(21, 120));
  assert.deepEqual(sequences(await read(worker, '-n', '7')), range(114, 120));
  assert.match(
    (await daemon.nagaya(['worker', 'transcript', worker, '-n', '7'])).stderr,
    /the 113 items before #114 are shown with --all/,
  );
});

test('a page begins where it is told to, and says where the next one begins', async () => {
  const worker = await talkative(60);
  assert.deepEqual(sequences(await read(worker, '--start', '5', '-n', '3')), [5, 6, 7]);
  assert.match(
    (await daemon.nagaya(['worker', 'transcript', worker, '--start', '5', '-n', '3'])).stderr,
    /go on with --start 8/,
  );
  assert.deepEqual(sequences(await read(worker, '--start', '119')), [119, 120]);
  assert.match(
    (await daemon.nagaya(['worker', 'transcript', worker, '--start', '500'])).stderr,
    /nothing from #500 on; the last item is #120/,
  );
});

test('--all reads through every page of what is kept, and says what is gone', async () => {
  const worker = await talkative(300);
  const whole = await read(worker, '--all');
  assert.deepEqual(sequences(whole), range(600 - kept + 1, 600));
  assert.deepEqual([whole.totalItems, whole.nextStart], [600, 601]);
  assert.deepEqual(sequences(await read(worker, '--all', '--start', '590')), range(590, 600));
  assert.match(
    (await daemon.nagaya(['worker', 'transcript', worker, '--all'])).stderr,
    /what was before #151 is no longer kept/,
  );
});

test('a larger page than there is, and two ways at once, are faults of usage', async () => {
  for (const args of [
    ['-n', '201'],
    ['-n', '0'],
    ['--start', '-1'],
    ['--all', '-n', '5'],
  ]) {
    assert.equal((await daemon.nagaya(['worker', 'transcript', 'x', ...args])).code, 2, args.join(' '));
  }
});
