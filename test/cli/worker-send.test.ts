// `nagaya worker send`: an input from the command line, and with --wait its answer as it comes and an exit code that
// tells how it ended.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { connect } from '../../protocol/client/client.ts';
import { operations } from '../../protocol/operations.ts';
import { type ServedDaemon, fileCleanup, jsonLines, startProcess } from '../labs/cli-process.ts';
import { labFolder, labWorker, newWorker, order, serveWorkers } from '../labs/cli-worker-lab.ts';
import { until } from '../labs/until.ts';

const file = fileCleanup();
let daemon: ServedDaemon;
before(async () => {
  daemon = await serveWorkers(file);
});

const show = async (worker: string) =>
  operations['worker.show'].result.parse(await daemon.json(['worker', 'show', worker]));
const send = (worker: string, text: string, ...args: readonly string[]) =>
  daemon.nagaya(['worker', 'send', worker, text, ...args]);

test('an input is accepted with its place in the transcript, and nothing is waited for', async () => {
  const worker = await labWorker(daemon);
  assert.match((await send(worker, order('hang'))).stdout, /^accepted as #1, [0-9a-f-]{36}\n$/);
  const second = operations['worker.input'].result.parse(await daemon.json(['worker', 'send', worker, order('hang')]));
  assert.equal(second.state, 'accepted');
});

test('the profile without tools acknowledges what it is given', async () => {
  const { code, stdout } = await send(await newWorker(daemon), 'Hello', '--wait');
  assert.deepEqual([code, stdout], [0, 'Received: Hello\n']);
});

test('with --wait the answer is all that is printed, while it is being said', async (t) => {
  const worker = await labWorker(daemon);
  const running = daemon.start([
    'worker',
    'send',
    worker,
    order('pieces', { pieces: ['one', ' two\n', 'three'], ms: 700 }),
    '--wait',
  ]);
  t.after(() => running.child.kill('SIGKILL'));
  await running.until('the first piece', ({ stdout }) => stdout.startsWith('one'));
  assert.ok(!running.stdout().includes('three'), 'it is printed before it is whole');
  const { code, stdout, stderr } = await running.ended;
  assert.deepEqual([code, stdout, stderr], [0, 'one two\nthree\n', '']);
});

test('the input comes from standard input where it is named by a dash, and keeps its lines', async () => {
  const worker = await newWorker(daemon);
  await daemon.json(['worker', 'send', worker, '-'], { input: 'first\nsecond\n' });
  const { items } = operations['worker.transcript'].result.parse(await daemon.json(['worker', 'transcript', worker]));
  assert.equal(items[0]?.content, 'first\nsecond\n');
  const empty = await daemon.nagaya(['worker', 'send', worker, '-'], { input: '' });
  assert.equal(empty.code, 4);
  assert.match(empty.stderr, /content/);
});

test("--system is the system's word, not the user's", async () => {
  const worker = await newWorker(daemon);
  await send(worker, 'be brief', '--system', '--wait');
  const { items } = operations['worker.transcript'].result.parse(await daemon.json(['worker', 'transcript', worker]));
  assert.deepEqual([items[0]?.role, items[0]?.content], ['system', 'be brief']);
});

test("an input that fails ends with exit code 1 and the way to the plugin's own words", async () => {
  const worker = await labWorker(daemon);
  const { code, stdout, stderr } = await send(worker, order('crash'), '--wait');
  assert.equal(code, 1);
  assert.match(stdout, /^0 1 2 .*\n$/, 'what was said before is printed');
  assert.match(stderr, /^failed: cell_crashed: .*\nsee `nagaya logs test\.profiles` for what its plugin said\n$/);
  assert.match((await daemon.nagaya(['logs', 'test.profiles'])).stdout, /uncaught on command/);
  assert.match(
    (await daemon.nagaya(['worker', 'show', worker])).stdout,
    /state +failed[^]*log +nagaya logs test\.profiles[^]*cell_crashed/,
  );
});

test('an input that is cancelled, or whose worker is stopped, ends with exit code 1', async () => {
  const worker = await labWorker(daemon);
  const cancelled = daemon.start(['worker', 'send', worker, order('loop'), '--wait']);
  await cancelled.until('it to loop', ({ stdout }) => stdout.includes('looping'));
  await daemon.nagaya(['worker', 'cancel', worker]);
  const first = await cancelled.ended;
  assert.deepEqual([first.code, first.stdout], [1, 'looping\n']);
  assert.match(first.stderr, /^cancelled: /);
  const stopped = daemon.start(['worker', 'send', worker, order('hang'), '--wait']);
  await stopped.until('it to hang', ({ stdout }) => stdout.includes('hanging'));
  await daemon.nagaya(['worker', 'stop', worker]);
  const second = await stopped.ended;
  assert.equal(second.code, 1);
  assert.match(second.stderr, /^cancelled: /);
});

test('Ctrl-C ends the waiting and not what the worker does', async () => {
  const worker = await labWorker(daemon);
  const running = daemon.start(['worker', 'send', worker, order('hang'), '--wait']);
  await running.until('it to hang', ({ stdout }) => stdout.includes('hanging'));
  running.child.kill('SIGINT');
  const { code, stderr } = await running.ended;
  assert.equal(code, 1);
  assert.match(
    stderr,
    new RegExp(`the worker goes on; \`nagaya worker cancel ${worker} --event [0-9a-f-]{36}\` ends this input`),
  );
  assert.equal((await show(worker)).state, 'busy');
});

test('without its plugin a worker fails what it is given, and works again when the plugin is back', async () => {
  const worker = await labWorker(daemon);
  await daemon.json(['unload', 'test.profiles']);
  const failed = await send(worker, order('echo', { text: 'x' }), '--wait');
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /^failed: plugin_not_found: [^\n]*\n$/);
  await daemon.json(['load', labFolder]);
  assert.equal((await send(worker, order('echo', { text: 'back' }), '--wait')).stdout, 'back\n');
});

test('two inputs at once each get their own answer', async () => {
  const worker = await labWorker(daemon);
  const answers = await Promise.all(
    ['a', 'b', 'c'].map((text) => send(worker, order('pieces', { pieces: [text, text, text], ms: 20 }), '--wait')),
  );
  assert.deepEqual(
    answers.map(({ stdout }) => stdout),
    ['aaa\n', 'bbb\n', 'ccc\n'],
  );
});

test('the same input id runs once, and its answer is told again, also when much was said since', async () => {
  const worker = await labWorker(daemon);
  const once = [order('echo', { text: 'only once' }), '--input-id', 'mine', '--wait'] as const;
  assert.equal((await send(worker, ...once)).stdout, 'only once\n');
  const client = await connect({ socket: daemon.socket });
  const [runtimeId = '', workerId = ''] = worker.split('/');
  for (let n = 0; n < 30; n += 1) {
    await client.call('worker.input', { runtimeId, workerId, content: order('echo', { text: `later ${String(n)}` }) });
    await until(
      'it was answered',
      async () => (await client.call('worker.show', { runtimeId, workerId })).state === 'idle',
    );
  }
  await client.close();
  assert.equal((await show(worker)).transcript.totalItems, 62, 'more than a snapshot holds');
  const { code, stdout } = await send(worker, ...once);
  assert.deepEqual([code, stdout], [0, 'only once\n']);
  assert.equal((await show(worker)).transcript.totalItems, 62);
});

test('with --json the answer is a record, and what belongs to it follows as one record an event', async () => {
  const worker = await labWorker(daemon);
  const { code, stdout } = await send(worker, order('pieces', { pieces: ['a', 'b'], ms: 30 }), '--wait', '--json');
  assert.equal(code, 0);
  const [accepted, ...events] = jsonLines(stdout) as [
    { state: string; eventId: string },
    ...{ type: string; text?: string; item?: { eventId: string }; status?: string }[],
  ];
  assert.equal(accepted.state, 'accepted');
  assert.deepEqual([events[0]?.type, events[0]?.item?.eventId], ['item', accepted.eventId]);
  assert.deepEqual([events.at(-1)?.type, events.at(-1)?.status], ['end', 'done']);
});

test('what a worker says cannot act on the terminal', async () => {
  const { stdout } = await send(
    await labWorker(daemon),
    order('pieces', { pieces: ['\u001b', '[31mred\u001b]0;owned\u0007', '\u009b2J\u202e'], ms: 20 }),
    '--wait',
  );
  assert.equal(stdout.replaceAll(/(?![\n])[\p{Cc}\p{Bidi_Control}]/gu, ''), stdout);
});

test('a reader that has gone ends the command', async (t) => {
  const worker = await labWorker(daemon);
  const { stdout } = await startProcess(
    t,
    'bash',
    ['-c', `node dist/daemon/cli/nagaya.js worker send ${worker} '${order('count', { to: 500 })}' --wait | head -c 4`],
    { env: { NAGAYA_SOCKET: daemon.socket } },
  ).ended;
  assert.equal(stdout, '1 2 ');
});

test('an input that is too large is refused with the bound', async () => {
  const refused = await daemon.nagaya(['worker', 'send', await newWorker(daemon), '-'], { input: 'x'.repeat(70_000) });
  assert.equal(refused.code, 4);
  assert.match(refused.stderr, /70000 bytes[^]*limits\.workerInputBytes/);
});
