// The story of a plugin and of one event, as the operator asks for it: accepted, waiting, lost, come again, dead, and
// how long the service was away.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { operations } from '../../protocol/operations.ts';
import { type ServedDaemon, examplesFolder, fileCleanup, serve, temporaryFolder } from '../labs/cli-process.ts';
import { until } from '../labs/until.ts';

const file = fileCleanup();
const lab = 'test.lab';
let daemon: ServedDaemon;
before(async () => {
  const config = join(temporaryFolder(file), 'nagaya.json');
  const restart = { policy: 'on-failure', intensity: 100, periodMs: 600_000, backoffMs: [5, 20] };
  writeFileSync(
    config,
    JSON.stringify({
      limits: { eventTrail: 50 },
      plugins: { overrides: { [lab]: { restart, retry: { maxAttempts: 2, backoffMs: [4000, 4000] } } } },
    }),
  );
  daemon = await serve(file, [
    '--config',
    config,
    '--plugins',
    fileURLToPath(new URL('../fixtures/services/lab', import.meta.url)),
  ]);
});

const publish = (payload: object, id: string): Promise<unknown> =>
  daemon.json(['publish', lab, JSON.stringify(payload), '--ingress', 'work', '--kind', 'do', '--correlation-id', id]);
const storyOf = async (id: string): ReturnType<typeof parsed> =>
  parsed(JSON.parse((await daemon.nagaya(['explain', lab, '--event', id, '--json'])).stdout));
const parsed = async (
  document: unknown,
): Promise<ReturnType<(typeof operations)['event.explain']['result']['parse']>> =>
  operations['event.explain'].result.parse(document);

test('an event that was handled is told from its acceptance to its end', async () => {
  await daemon.json([
    'deliver',
    lab,
    '{"do":"sleep","ms":30}',
    '--ingress',
    'work',
    '--kind',
    'do',
    '--correlation-id',
    'fine',
  ]);
  const { events, open } = await storyOf('fine');
  assert.deepEqual(open, []);
  assert.deepEqual(
    events.map(({ outcome, attempt, incarnation }) => [outcome, attempt, incarnation]),
    [['handled', 1, 1]],
  );
  assert.ok((events[0]?.handlerMs ?? 0) >= 25 && (events[0]?.sinceAcceptedMs ?? 0) >= (events[0]?.handlerMs ?? 0));
  assert.ok(Math.abs(Date.parse(events[0]?.acceptedAt ?? '') - Date.now()) < 60_000);
  assert.match(
    (await daemon.nagaya(['explain', lab, '--event', 'fine'])).stdout,
    /accepted and queued\n.*it was handled on attempt 1, in incarnation 1, \d+ ms in the handler; \d+ ms after it was accepted/,
  );
});

test('an event that killed its cell twice is told attempt by attempt, with the kill, the return and the dead letter', async () => {
  await publish({ do: 'loop' }, 'poison');
  await until('it is a dead letter', async () => (await storyOf('poison')).deadLetters.length === 1, 60_000);
  const { events, deadLetters, entries } = await storyOf('poison');
  assert.deepEqual(
    events.map(({ outcome, attempt }) => [outcome, attempt]),
    [
      ['timedOut', 1],
      ['timedOut', 2],
      ['deadLettered', 2],
    ],
  );
  assert.ok(events[0] !== undefined && events[1] !== undefined && events[1].incarnation > events[0].incarnation);
  assert.deepEqual(
    entries.map(({ event }) => event),
    ['dispatch_timeout', 'retried', 'dispatch_timeout', 'deadLettered'],
  );
  const told = await daemon.nagaya(['explain', lab, '--event', 'poison']);
  assert.match(
    told.stdout,
    new RegExp(
      `accepted and queued[^]*it ran past its deadline on attempt 1[^]*retried[^]*it ran past its deadline on attempt 2[^]*it became a dead letter[^]*now +it is the dead letter ${deadLetters[0] ?? '?'}`,
    ),
  );
  await until(
    'it is back',
    async () =>
      (await parsed(await daemon.json(['explain', lab]))).entries.filter(({ event }) => event === 'restarted')
        .length === 2,
    60_000,
  );
  const all = (await parsed(await daemon.json(['explain', lab]))).entries;
  assert.equal(all.filter(({ event }) => event === 'killed').length, 2);
  const back = all.find(({ event }) => event === 'restarted');
  assert.match(back?.message ?? '', /^Incarnation \d+ runs, \d+ ms after the failure\.$/);
  const { explanation } = await parsed(await daemon.json(['explain', lab]));
  assert.match(explanation[0]?.what ?? '', /^The service runs since \S+ \S+ \(.+\), in incarnation \d+\.$/);
  const failure = explanation.find(({ level }) => level === 'error');
  assert.match(failure?.what ?? '', /^2 times .* with dispatch_timeout, the last time:$/);
  assert.match(failure?.why ?? '', /did not finish within/);
  assert.match(failure?.remedy ?? '', /raise `service\.timeouts\.handleMs`/);
  const inWords = (await daemon.nagaya(['explain', lab])).stdout;
  assert.match(inWords, /1 event could not be handled and is kept as a dead letter\./);
  assert.match(inWords, /What to do: Look at them with `nagaya dead-letters list test\.lab`/);
  assert.match(inWords, /Its supervisor has restarted it 2 times\. Incarnation \d+ runs/);
  assert.doesNotMatch(inWords, /running → failed/, 'the timeline is another command');
});

test('an event that waits, or is being handled, is told as such', async () => {
  await publish({ do: 'sleep', ms: 250 }, 'slow');
  await publish({ do: 'echo' }, 'behind');
  const {
    open: [open],
  } = await storyOf('behind');
  if (open !== undefined) assert.deepEqual([open.state, open.attempt, open.ahead], ['queued', 1, 1]);
  await until('both are done', async () => (await storyOf('behind')).events.length === 1);
  assert.deepEqual((await storyOf('behind')).open, []);
});

test('events that share a correlation id are told apart by the ids that the daemon gave them', async () => {
  const [first, second] = [
    await publish({ do: 'echo' }, 'talk'),
    await publish({ do: 'throw', what: 'planned' }, 'talk'),
  ] as [{ eventId: string }, { eventId: string }];
  await until('both are done', async () => (await storyOf('talk')).events.length === 4);
  assert.deepEqual(
    (await storyOf('talk')).events.map(({ eventId, correlationId, outcome }) => [eventId, correlationId, outcome]),
    [
      [first.eventId, 'talk', 'handled'],
      [second.eventId, 'talk', 'threw'],
      [second.eventId, 'talk', 'threw'],
      [second.eventId, 'talk', 'deadLettered'],
    ],
  );
  assert.deepEqual(
    (await storyOf(first.eventId)).events.map(({ outcome }) => outcome),
    ['handled'],
  );
  const { events, entries } = await storyOf(second.eventId);
  assert.deepEqual(
    [events.map(({ outcome }) => outcome), entries.map(({ event }) => event)],
    [
      ['threw', 'threw', 'deadLettered'],
      ['dispatch_failed', 'retried', 'dispatch_failed', 'deadLettered'],
    ],
  );
  const told = (await daemon.nagaya(['explain', lab, '--event', 'talk'])).stdout;
  for (const { eventId } of [first, second])
    assert.match(told, new RegExp(`${eventId}: received from cli through work as do, accepted and queued`));
  assert.match(
    told,
    new RegExp(
      `${first.eventId}: it was handled[^]*${second.eventId}: it was not handled: its handler threw[^]*${second.eventId}: it became a dead letter`,
    ),
  );
});

test('an event that waits for its retry is told of by explain, by the status and in the log, with the time until when', async () => {
  await publish({ do: 'throwBelow', attempt: 2 }, 'again');
  await until('it waits', async () => (await storyOf('again')).open[0]?.state === 'retrying');
  const {
    open: [open],
  } = await storyOf('again');
  assert.ok(open !== undefined && open.attempt === 2 && Math.abs(Date.parse(open.retryAt ?? '') - Date.now()) < 60_000);
  assert.match(
    (await daemon.nagaya(['status', lab])).stdout,
    /retrying +1 event of these waits for another attempt, the first until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d/,
  );
  const told = (await daemon.nagaya(['explain', lab, '--event', 'again'])).stdout;
  assert.match(
    told,
    /it was not handled: its handler threw or rejected on attempt 1[^]*retried.*The event will be tried again at \S+ \S+ \(attempt 2 of 2\)\.[^]*now +it waits until \S+ \S+ for attempt 2/,
  );
  assert.match(
    (await daemon.nagaya(['logs', lab])).stdout,
    /The event will be tried again at \S+ \S+ \(attempt 2 of 2\)\./,
  );
  await until('it is handled', async () => (await storyOf('again')).events.at(-1)?.outcome === 'handled');
});

test('what nobody knows is said to be unknown, and what was pushed out is counted', async () => {
  const unknown = await daemon.nagaya(['explain', lab, '--event', 'never']);
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /nothing is known of never/);
  const lines = Array.from({ length: 55 }, () => '{"do":"echo"}').join('\n');
  assert.equal(
    (await daemon.nagaya(['publish', lab, '-', '--ingress', 'work', '--kind', 'do', '--wait'], { input: lines })).code,
    0,
  );
  await until('the first is pushed out', async () => (await storyOf('fine')).events.length === 0);
  assert.ok((await storyOf('fine')).forgotten > 0);
  assert.match((await daemon.nagaya(['explain', lab])).stdout, /Of \d+ accepted events, \d+ handled/);
});

test('what tools and workers did is told in sentences, with why a call failed and what to do', async (t) => {
  const other = await serve(t, ['--plugins', examplesFolder]);
  const told = async (plugin: string): Promise<string> => (await other.nagaya(['explain', plugin])).stdout;
  assert.match(await told('example.primes'), /No tool of it has been called\./);
  await other.json(['call', 'example.primes', 'primes', '{"below":100}']);
  assert.notEqual((await other.nagaya(['call', 'example.primes', 'primes', '{"below":"many"}'])).code, 0);
  assert.match(
    await told('example.primes'),
    /Its tools were called 2 times: 1 were answered, 1 failed with tool_input_invalid\./,
  );
});
