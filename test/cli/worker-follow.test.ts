// `nagaya worker follow`: a snapshot, then what happens as it happens, over broken connections, until Ctrl-C, the
// worker's stop or the daemon's end.
import assert from 'node:assert/strict';
import { createServer, connect as open, type Socket } from 'node:net';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { type WorkerEvent, workerEvent } from '../../protocol/runtime.ts';
import {
  type Cleanup,
  type Running,
  type ServedDaemon,
  fileCleanup,
  jsonLines,
  startCommand,
  temporaryFolder,
} from '../labs/cli-process.ts';
import { labWorker, order, serveWorkers } from '../labs/cli-worker-lab.ts';

const file = fileCleanup();
let daemon: ServedDaemon;
before(async () => {
  daemon = await serveWorkers(file);
});

const eventsIn = (running: Running): WorkerEvent[] =>
  jsonLines(running.stdout().replace(/[^\n]*$/, '')).map((line) => workerEvent.parse(line));
const say = (worker: string, text: string, of = daemon) => of.json(['worker', 'send', worker, order('echo', { text })]);
const saw = (running: Running, text: string): Promise<void> =>
  running.until(text, ({ stdout }) => stdout.includes(text));

/** What the worker said, put together from the events alone. */
function heard(events: readonly WorkerEvent[]): string[] {
  const items = new Map<number, string>();
  for (const event of events) {
    if (event.type === 'item' && event.item.role === 'worker') items.set(event.item.sequence, event.item.content);
    if (event.type === 'output') items.set(event.sequence, `${items.get(event.sequence) ?? ''}${event.text}`);
  }
  return [...items.values()];
}

test('people see a snapshot, then each item as it is said', async () => {
  const worker = await labWorker(daemon);
  await say(worker, 'before');
  const running = daemon.start(['worker', 'follow', worker]);
  await saw(running, 'before\n');
  const pieces = order('pieces', { pieces: ['slowly ', 'said'], ms: 600 });
  await daemon.json(['worker', 'send', worker, pieces]);
  await saw(running, 'worker slowly ');
  assert.ok(!running.stdout().includes('said\n'));
  await saw(running, 'slowly said\n');
  await saw(running, 'idle\n');
  running.child.kill('SIGINT');
  const { code, stdout, stderr } = await running.ended;
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, new RegExp(`^${worker} .*\n.* #1   user .*\n.* #2 worker before\n`));
});

test('programs get every event once and in order, one a line', async () => {
  const worker = await labWorker(daemon);
  const running = daemon.start(['worker', 'follow', worker, '--json']);
  await saw(running, '"snapshot"');
  for (let n = 0; n < 5; n += 1) await say(worker, `said ${String(n)}`);
  await saw(running, 'said 4');
  running.child.kill('SIGTERM');
  assert.equal((await running.ended).code, 0);
  const events = eventsIn(running);
  assert.equal(events[0]?.type, 'snapshot');
  assert.deepEqual(heard(events), ['said 0', 'said 1', 'said 2', 'said 3', 'said 4']);
  assert.equal(new Set(events.map(({ cursor }) => cursor)).size, events.length);
});

test('--after goes on behind an event, and one that means nothing is told and followed by a snapshot', async () => {
  const worker = await labWorker(daemon);
  const first = daemon.start(['worker', 'follow', worker, '--json']);
  await saw(first, '"snapshot"');
  await say(worker, 'one');
  await saw(first, '"end"');
  first.child.kill('SIGINT');
  await first.ended;
  const cursor = eventsIn(first).at(-1)?.cursor ?? '';
  await say(worker, 'two');
  const second = daemon.start(['worker', 'follow', worker, '--json', '--after', cursor]);
  await saw(second, 'two');
  second.child.kill('SIGINT');
  await second.ended;
  assert.deepEqual(heard(eventsIn(second)), ['two']);
  assert.ok(eventsIn(second).every(({ type }) => type !== 'snapshot'));
  const foreign = daemon.start(['worker', 'follow', worker, '--after', 'not-a-cursor']);
  await saw(foreign, 'two');
  foreign.child.kill('SIGINT');
  assert.match((await foreign.ended).stderr, /^cursor_foreign: /);
});

test('it ends by itself when the worker is stopped, with what was still being said', async () => {
  const worker = await labWorker(daemon);
  const running = daemon.start(['worker', 'follow', worker]);
  await daemon.json(['worker', 'send', worker, order('loop')]);
  await saw(running, 'looping');
  await daemon.json(['worker', 'stop', worker]);
  const { code, stdout, stderr } = await running.ended;
  assert.equal(code, 0);
  assert.match(stdout, /worker looping\n[^]*worker +\(not finished\)\n[^]*host The input was cancelled\.\n/);
  assert.match(stderr, /is stopped: nothing more happens to it/);
  assert.equal((await daemon.nagaya(['worker', 'follow', worker])).code, 0, 'one that is stopped already is shown');
});

/** Stands between the command and the daemon, and cuts. */
async function cutter(t: Cleanup): Promise<{ socket: string; cut(): void; readonly connections: number }> {
  const socket = join(temporaryFolder(t), 'between');
  const pairs = new Set<Socket>();
  let connections = 0;
  const server = createServer((near) => {
    connections += 1;
    const far = open(daemon.socket);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      pairs.add(from);
      from.pipe(to);
      from.on('error', () => undefined);
      from.on('close', () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => void server.listen(socket, resolve));
  const cut = (): void => {
    for (const one of pairs) one.destroy();
    pairs.clear();
  };
  t.after(() => {
    cut();
    server.close();
  });
  return {
    socket,
    cut,
    get connections() {
      return connections;
    },
  };
}

test('a connection that breaks is made again, and nothing is lost or told twice', async (t) => {
  const worker = await labWorker(daemon);
  const between = await cutter(t);
  const running = startCommand(t, ['worker', 'follow', worker, '--json', '--socket', between.socket]);
  await saw(running, '"snapshot"');
  for (let n = 0; n < 4; n += 1) {
    between.cut();
    await say(worker, `part ${String(n)}`);
    await saw(running, `part ${String(n)}`);
  }
  assert.ok(between.connections >= 5);
  running.child.kill('SIGINT');
  assert.equal((await running.ended).code, 0);
  const events = eventsIn(running);
  assert.deepEqual(heard(events), ['part 0', 'part 1', 'part 2', 'part 3']);
  assert.equal(events.filter(({ type }) => type === 'snapshot').length, 1);
});

test('it ends with the daemon, and says so', async (t) => {
  for (const ending of ['SIGTERM', 'SIGKILL'] as const) {
    const own = await serveWorkers(t);
    const running = own.start(['worker', 'follow', await labWorker(own)]);
    await saw(running, 'idle');
    own.running.child.kill(ending);
    const { code, stderr } = await running.ended;
    assert.equal(code, 1, stderr);
    assert.match(stderr, /^nagaya: The daemon has ended\.\n +remedy: /, ending);
  }
});
