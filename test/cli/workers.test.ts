// `nagaya runtimes`, `workers` and `worker new|show|stop|cancel`: what there is, and that a worker is only ever
// addressed whole.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { meantWorker } from '../../daemon/cli/worker-address.ts';
import { operations } from '../../protocol/operations.ts';
import type { WorkerSummary } from '../../protocol/runtime.ts';
import { type ServedDaemon, fileCleanup, startCommand, startProcess, temporaryFolder } from '../labs/cli-process.ts';
import { labFolder, labProfile, labWorker, newWorker, order, serveWorkers } from '../labs/cli-worker-lab.ts';
import { until } from '../labs/until.ts';

const file = fileCleanup();
let daemon: ServedDaemon;
before(async () => {
  daemon = await serveWorkers(file);
});

const show = async (worker: string) =>
  operations['worker.show'].result.parse(await daemon.json(['worker', 'show', worker]));

test('the runtimes are listed with their kinds, and one is shown with the profiles it offers', async () => {
  const listed = await daemon.nagaya(['runtimes']);
  assert.match(
    listed.stdout,
    /^RUNTIME +KIND +STATUS .*\nbackend-internal +embedded +running[^]*\nlocal +local-compatibility +running/,
  );
  operations['runtime.list'].result.parse(await daemon.json(['runtimes']));
  const shown = await daemon.nagaya(['runtimes', 'backend-internal']);
  assert.match(
    shown.stdout,
    /kind +embedded[^]*profiles +builtin:default [^]*test\.profiles:lab {2}does what each input tells it to/,
  );
  operations['runtime.show'].result.parse(await daemon.json(['runtimes', 'local']));
});

test('a worker is made, listed and shown by the address that was printed', async () => {
  const worker = await newWorker(daemon, 'help with the garden', '--name', 'Ada', '--profile', labProfile);
  const listed = await daemon.nagaya(['workers']);
  assert.match(listed.stdout, new RegExp(`${worker} +Ada +idle +${labProfile} .*help with the garden`));
  assert.match(listed.stdout, /local\/example\.greeter +Greeter/);
  const shown = await daemon.nagaya(['worker', 'show', worker]);
  assert.match(
    shown.stdout,
    new RegExp(`^${worker}  Ada\nstate +idle\nintent +help with the garden\nprofile +${labProfile}\nruns +embedded`),
  );
  const [runtimeId, workerId = ''] = worker.split('/');
  const view = await show(workerId);
  assert.deepEqual([view.runtimeId, view.workerId, view.displayName], [runtimeId, workerId, 'Ada']);
  assert.deepEqual(
    await daemon.json(['worker', 'show', workerId, '--runtime', 'backend-internal']),
    await daemon.json(['worker', 'show', worker]),
  );
  assert.match((await daemon.nagaya(['worker', 'show', 'local/example.greeter'])).stdout, /runs +local-compatibility/);
});

test('a list is one of a runtime, or a page with the way to the next', async () => {
  await newWorker(daemon);
  await newWorker(daemon);
  const { workers } = operations['worker.list'].result.parse(await daemon.json(['workers', '--runtime', 'local']));
  assert.deepEqual(
    workers.map(({ workerId }) => workerId),
    ['example.greeter'],
  );
  const first = operations['worker.list'].result.parse(await daemon.json(['workers', '-n', '1']));
  assert.equal(first.workers.length, 1);
  const second = operations['worker.list'].result.parse(
    await daemon.json(['workers', '-n', '1', '--after', first.next ?? '']),
  );
  assert.notDeepEqual(second.workers, first.workers);
  assert.match((await daemon.nagaya(['workers', '-n', '1'])).stderr, /there are more in .*: go on with --after \S+/);
});

test('the same request key gives the same worker, and another request under it is refused', async () => {
  const key = ['--request-key', 'one', '--name', 'Keyed'];
  const worker = await newWorker(daemon, ...key);
  assert.equal(await newWorker(daemon, ...key), worker);
  const other = await daemon.nagaya(['worker', 'new', 'something else', ...key]);
  assert.equal(other.code, 4);
  assert.match(other.stderr, /requestKey was used for another request/);
});

test("a worker is found by its whole id alone; a beginning, a name or another runtime's id is only suggested", async () => {
  const worker = await newWorker(daemon, '--name', 'Grace');
  const [, id = ''] = worker.split('/');
  for (const wrong of [
    id.slice(0, -1),
    id.slice(1),
    `local/${id}`,
    'Grace',
    `backend-internal/${id.slice(0, 8)}x${id.slice(9)}`,
  ]) {
    for (const verb of ['show', 'stop']) {
      const refused = await daemon.nagaya(['worker', verb, wrong]);
      assert.equal(refused.code, 4, wrong);
      assert.match(refused.stderr, new RegExp(`did you mean ${worker}\\?\n[^]*remedy: See \`nagaya workers`), wrong);
    }
  }
  assert.match(
    (await daemon.nagaya(['worker', 'show', 'example.greeter'])).stderr,
    /did you mean local\/example\.greeter\?/,
  );
  assert.equal((await show(worker)).state, 'idle', 'nothing was stopped by a near miss');
});

test('what is suggested is one worker or none', () => {
  const worker = (runtimeId: string, workerId: string, displayName = workerId) =>
    ({ runtimeId, workerId, displayName }) as WorkerSummary;
  const workers = [
    worker('a', '0199aaaa-1'),
    worker('a', '0199aaaa-2', 'Twin'),
    worker('b', '0199aaaa-2', 'Twin'),
    worker('b', '0200'),
  ];
  assert.equal(meantWorker(workers, 'a', '0199aaaa'), undefined);
  assert.equal(meantWorker(workers, 'a', 'Twin'), undefined);
  assert.equal(meantWorker(workers, 'a', '02'), undefined);
  assert.equal(meantWorker(workers, 'a', '0200')?.runtimeId, 'b');
  assert.equal(meantWorker(workers, 'b', '0201')?.workerId, '0200');
  assert.equal(meantWorker(workers, 'a', '0201'), undefined, 'a slip is looked for in the same runtime');
  assert.equal(meantWorker([], 'a', 'x'), undefined);
});

test('runtimes and profiles that are not there are refused with the nearest there is', async () => {
  for (const [args, meant] of [
    [['runtimes', 'backend-intrnal'], 'backend-internal'],
    [['workers', '--runtime', 'locl'], 'local'],
    [['worker', 'new', '--runtime', 'backend-internl'], 'backend-internal'],
    [['worker', 'new', '--profile', 'test.profiles:lob'], labProfile],
  ] as const) {
    const refused = await daemon.nagaya(args);
    assert.equal(refused.code, 4, refused.stderr);
    assert.match(refused.stderr, new RegExp(`did you mean ${meant}\\?[^]*remedy: See \`nagaya runtimes`));
  }
});

test('what is no address at all is refused by its form', async () => {
  for (const wrong of ['a b', 'backend-internal/', '/x', 'backend-internal/a/b', 'x'.repeat(129)]) {
    const refused = await daemon.nagaya(['worker', 'show', wrong]);
    assert.equal(refused.code, 4, wrong);
    assert.match(refused.stderr, /1-128 characters/, wrong);
  }
  const twice = await daemon.nagaya(['worker', 'show', 'local/x', '--runtime', 'backend-internal']);
  assert.equal(twice.code, 2);
  assert.match(twice.stderr, /in local by its address and in backend-internal by --runtime/);
});

test('what a runtime cannot do is refused as unsupported', async () => {
  for (const args of [
    ['worker', 'new', '--runtime', 'local'],
    ['worker', 'transcript', 'local/example.greeter'],
    ['worker', 'follow', 'local/example.greeter'],
    ['worker', 'cancel', 'local/example.greeter'],
  ]) {
    const refused = await daemon.nagaya([...args, '--json']);
    assert.equal(refused.code, 4, args.join(' '));
    assert.equal((JSON.parse(refused.stderr) as { code: string }).code, 'unsupported_operation');
  }
});

test('cancel ends what runs and stop ends the worker; both say so when there was nothing to do', async () => {
  const worker = await labWorker(daemon);
  await daemon.json(['worker', 'send', worker, order('loop')]);
  await until('it loops', async () => (await show(worker)).transcript.totalItems === 2);
  assert.match((await daemon.nagaya(['worker', 'cancel', worker])).stdout, / ends the input [0-9a-f-]{36}$/m);
  await until('it is cancelled', async () => (await show(worker)).state === 'cancelled');
  assert.match((await daemon.nagaya(['worker', 'cancel', worker])).stdout, /runs nothing/);
  assert.equal(
    (await daemon.nagaya(['worker', 'send', worker, order('echo', { text: 'again' }), '--wait'])).stdout,
    'again\n',
  );
  assert.match((await daemon.nagaya(['worker', 'stop', worker])).stdout, /is stopped\n/);
  assert.match((await daemon.nagaya(['worker', 'stop', worker])).stdout, /is stopped already\n/);
  const refused = await daemon.nagaya(['worker', 'send', worker, 'x']);
  assert.equal(refused.code, 4);
  assert.match(refused.stderr, /The worker was stopped\.[^]*nagaya worker new/);
});

test('whole addresses, runtimes and profiles are what completion offers', async () => {
  const worker = await newWorker(daemon, '--name', 'Complete');
  const offered = async (...words: string[]) => (await daemon.nagaya(['__complete', ...words])).stdout;
  assert.match(await offered('worker', 'send', 'backend-internal/'), new RegExp(`^${worker}\tComplete$`, 'm'));
  assert.match(await offered('worker', 'new', '--profile', 'test'), /^test\.profiles:lab\t/m);
  assert.match(await offered('workers', '--runtime', 'l'), /^local\t/);
});

test('the group and each of its commands has help with examples', async () => {
  for (const args of [
    ['worker'],
    ...['new', 'show', 'send', 'stop', 'cancel', 'transcript', 'follow'].map((verb) => ['worker', verb]),
  ]) {
    const { code, stdout } = await daemon.nagaya([...args, '--help']);
    assert.equal(code, 0);
    assert.match(stdout, /Examples:\n {2}\S/);
  }
});

test('a daemon that has profiles and no tools says how to make a worker', async (t) => {
  const running = startCommand(
    t,
    ['serve', '--socket', join(temporaryFolder(t), 's'), '--until-stdin-ends', '--plugins', labFolder],
    { env: { NAGAYA_STATE: join(temporaryFolder(t), 'state') } },
  );
  await running.until('what to try', ({ stdout }) => stdout.includes('Ctrl-C stops'));
  const line =
    running
      .stdout()
      .split('\n')
      .find((text) => text.includes('worker new')) ?? '';
  const pasted = await startProcess(t, 'sh', ['-c', line]).ended;
  assert.equal(pasted.code, 0, pasted.stderr);
  assert.match(pasted.stdout, /^backend-internal\//);
  running.child.stdin.end();
  await running.ended;
});
