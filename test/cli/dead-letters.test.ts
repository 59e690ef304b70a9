// `nagaya dead-letters`, and what `status` says of a service that failed: everything an operator needs to look at what
// was lost, send it again or let it go.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { DeadLetterWithEvent } from '../../protocol/dead-letter.ts';
import { operations } from '../../protocol/operations.ts';
import { type ServiceStatus, serviceStatus } from '../../protocol/status.ts';
import { type ServedDaemon, fileCleanup, serve, temporaryFolder } from '../labs/cli-process.ts';
import { until } from '../labs/until.ts';

const file = fileCleanup();
const lab = 'test.lab';
let daemon: ServedDaemon;
before(async () => {
  const config = join(temporaryFolder(file), 'nagaya.json');
  const restart = { policy: 'on-failure', intensity: 3, periodMs: 600_000, backoffMs: [5, 20] };
  writeFileSync(config, JSON.stringify({ plugins: { overrides: { [lab]: { restart, retry: { maxAttempts: 1 } } } } }));
  daemon = await serve(file, [
    '--config',
    config,
    '--plugins',
    fileURLToPath(new URL('../fixtures/services/lab', import.meta.url)),
  ]);
});

const statusOf = async (): Promise<ServiceStatus> => serviceStatus.parse(await daemon.json(['status', lab]));
const list = async (): Promise<{ total: number; deadLetters: { id: string; correlationId: string }[] }> =>
  operations['deadLetter.list'].result.parse(await daemon.json(['dead-letters', 'list', lab]));

async function lose(correlationId: string): Promise<string> {
  await daemon.json(['start', lab]);
  const before = (await list()).total;
  await daemon.json([
    'publish',
    lab,
    '{"do":"exit","code":7}',
    '--ingress',
    'work',
    '--kind',
    'do',
    '--correlation-id',
    correlationId,
  ]);
  await until('the event is a dead letter', async () => (await list()).total === before + 1);
  return (await list()).deadLetters.at(-1)?.id ?? '';
}

test('dead letters are listed, shown with their story and event, and counted in status', async () => {
  assert.match((await daemon.nagaya(['dead-letters', 'list', lab])).stderr, /test\.lab has no dead letters/);
  const id = await lose('first');
  const listed = await daemon.nagaya(['dead-letters', 'list', lab]);
  assert.match(
    listed.stdout,
    new RegExp(`^ID .*LAST ERROR\n${id} +\\d{4}-\\d{2}-\\d{2} \\S+ +work/do +1 +first +cell_crashed: `),
  );
  const shown = await daemon.nagaya(['dead-letters', 'show', lab, id]);
  assert.match(
    shown.stdout,
    /event +\S+ \(correlation id first\), do through work from cli[^]*attempt 1 +\S+ \S+, incarnation 1: cell_crashed[^]*"code": 7/,
  );
  const letter = (await daemon.json(['dead-letters', 'show', lab, id])) as DeadLetterWithEvent;
  assert.deepEqual([letter.id, letter.attempts.length, letter.event['payload']], [id, 1, { do: 'exit', code: 7 }]);
  const status = await daemon.nagaya(['status', lab]);
  assert.match(status.stdout, /dead letters +1 of 1000: see `nagaya dead-letters list test\.lab`/);
  assert.match((await daemon.nagaya(['status'])).stdout, /SERVICE .*DEAD/);
});

test('everything is replayed or discarded only when it is said in so many words', async () => {
  for (const verb of ['replay', 'discard']) {
    const silent = await daemon.nagaya(['dead-letters', verb, lab]);
    assert.equal(silent.code, 2);
    assert.match(silent.stderr, new RegExp(`Which dead letters to ${verb} was not said.[^]*--all`));
    assert.equal((await daemon.nagaya(['dead-letters', verb, lab, 'x', '--all'])).code, 2);
  }
});

test('a letter is replayed by its id, and refused where the service takes nothing', async () => {
  const id = await lose('second');
  const before = (await list()).total;
  await daemon.json(['stop', lab]);
  const refused = await daemon.nagaya(['dead-letters', 'replay', lab, id]);
  assert.equal(refused.code, 4);
  assert.match(refused.stderr, /was stopped/);
  assert.equal((await list()).total, before);
  await daemon.json(['start', lab]);
  const replayed = operations['deadLetter.replay'].result.parse(await daemon.json(['dead-letters', 'replay', lab, id]));
  const [again] = replayed.results;
  assert.ok(again?.accepted === true && again.eventId !== '');
  assert.deepEqual([again.id, again.correlationId], [id, 'second']);
  // Poison as before: it comes back as a new letter that names the old one.
  await until('it is lost again', async () =>
    (await list()).deadLetters.some((letter) => letter.id !== id && letter.correlationId === 'second'),
  );
  const unknown = await daemon.nagaya(['dead-letters', 'replay', lab, id]);
  assert.equal(unknown.code, 4);
  assert.match(unknown.stderr, /There is no dead letter/);
});

test('letters are discarded by id or all, and what was not there is no success', async () => {
  const id = await lose('third');
  assert.match((await daemon.nagaya(['dead-letters', 'discard', lab, id])).stdout, /^1 dead letter discarded/);
  for (const args of [
    ['discard', lab, id],
    ['list', lab, '--after', id],
  ]) {
    const { code, stderr } = await daemon.nagaya(['dead-letters', ...args]);
    assert.equal(code, 4);
    assert.match(stderr, new RegExp(`There is no dead letter ${id}`));
  }
  assert.ok((await list()).total > 0);
  await daemon.json(['dead-letters', 'discard', lab, '--all']);
  assert.equal((await list()).total, 0);
});

test('a service that is given up says so, with the command that starts it again', async () => {
  // An operator's own start resets the failure count of what failed before.
  await daemon.json(['stop', lab]);
  await daemon.json(['start', lab]);
  for (let restarts = 0; restarts <= 3; restarts += 1) {
    const { incarnation } = await statusOf();
    await daemon.json(['publish', lab, '{"do":"exit","code":7}', '--ingress', 'work', '--kind', 'do']);
    await until('it is back, or given up', async () => {
      const { lifecycle, incarnation: now, restart } = await statusOf();
      return (lifecycle === 'running' && now > incarnation) || restart?.pending === false;
    });
  }
  assert.equal((await statusOf()).restart?.pending, false);
  assert.match(
    (await daemon.nagaya(['status', lab])).stdout,
    /restart +The supervisor gave up: it failed more than 3 times within 600000 ms\. Start it again with nagaya start test\.lab/,
  );
  assert.match((await daemon.nagaya(['status'])).stdout, /test\.lab +failed, given up/);
  assert.match((await daemon.nagaya(['start', lab])).stdout, /test\.lab is running/);
});
