// Inputs of a worker: accepted means in the transcript, one runs at a time, and how each ended stands there in words
// that are the host's own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Limits } from '../../daemon/config/schema.ts';
import type { InputAnswer, TranscriptItem } from '../../protocol/runtime.ts';
import { type LabProgram, type RuntimeLab, refusal, runtimeLab, settled, whatRuns } from '../labs/runtime-lab.ts';

interface Scene extends RuntimeLab {
  readonly address: { readonly runtimeId: string; readonly workerId: string };
  readonly program1: LabProgram;
  input(content: string, inputId?: string): Promise<InputAnswer>;
  items(): Promise<TranscriptItem[]>;
  state(): Promise<string>;
}

async function scene(limits: Partial<Limits> = {}): Promise<Scene> {
  const lab = runtimeLab({ limits });
  const { workerId } = await lab.create();
  const address = { runtimeId: 'backend-internal', workerId };
  return {
    ...lab,
    address,
    program1: lab.program(workerId),
    async input(content, inputId) {
      const answer = await lab.registry.input(address, { kind: 'user', content, inputId });
      await settled();
      return answer;
    },
    items: async () => (await lab.registry.transcript(address, 0, 200)).items,
    state: async () => (await lab.registry.worker(address)).state,
  };
}

const told = (items: readonly TranscriptItem[]): unknown[] =>
  items.map(({ role, content, status }) => [role, content, status]);

test('what a worker says stands in one item that grows, under the event of its input', async () => {
  const { input, items, program1, state } = await scene();
  const { eventId, sequence } = await input('hello');
  assert.equal(sequence, 1);
  program1.current?.say('Good ');
  program1.current?.say('morning');
  assert.deepEqual(told(await items()), [
    ['user', 'hello', undefined],
    ['worker', 'Good morning', 'streaming'],
  ]);
  assert.equal(await state(), 'busy');
  program1.current?.end('done');
  await settled();
  assert.deepEqual(told(await items()), [
    ['user', 'hello', undefined],
    ['worker', 'Good morning', 'done'],
  ]);
  assert.ok((await items()).every((item) => item.eventId === eventId));
  assert.equal(await state(), 'idle');
});

test('an input to which nothing is said ends all the same, and what is said after the end is not heard', async () => {
  const { input, items, program1 } = await scene();
  await input('hello');
  const given = program1.current;
  given?.end('done');
  await settled();
  given?.say('too late');
  assert.deepEqual(told(await items()), [
    ['user', 'hello', undefined],
    ['worker', '', 'done'],
  ]);
});

test("a failure stands in the transcript by its code and the registry's words, and the next input runs", async () => {
  const { input, items, program1, state, registry, address, logged } = await scene();
  await input('one');
  program1.current?.say('half an ans');
  await input('two');
  program1.current?.end('cell_crashed');
  await settled();
  assert.deepEqual(told(await items()), [
    ['user', 'one', undefined],
    ['worker', 'half an ans', 'partial'],
    ['user', 'two', undefined],
    ['host', "cell_crashed: The plugin's cell ended while it was needed.", 'failed'],
  ]);
  assert.equal(program1.current?.input.content, 'two');
  assert.equal(await state(), 'busy', 'the next one runs');
  program1.current?.end('dispatch_timeout');
  await settled();
  assert.equal(await state(), 'failed');
  const { diagnostics } = await registry.worker(address);
  assert.deepEqual(
    diagnostics.map(({ code }) => code),
    ['cell_crashed', 'dispatch_timeout'],
  );
  assert.doesNotMatch(JSON.stringify([await items(), diagnostics]), /SECRET|somebody/);
  assert.equal(logged.length, 2);
  await input('three');
  program1.current?.end('done');
  await settled();
  assert.equal(await state(), 'idle', 'a worker that failed takes inputs as before');
});

test('an inputId that comes again is answered as the first time, whatever has become of the worker, and runs once', async () => {
  const { input, program1, registry, address } = await scene({ workerKeys: 1 });
  const first = await input('hello', 'a');
  assert.deepEqual(await input('hello', 'a'), first);
  program1.current?.end('done');
  await settled();
  assert.equal((await refusal(() => input('something else', 'a'))).code, 'invalid_request');
  await registry.stop(address);
  assert.deepEqual(await input('hello', 'a'), first);
  assert.equal(program1.given.length, 1);
});

test('an inputId that was forgotten is a new input', async () => {
  const { input } = await scene({ workerKeys: 1 });
  const first = await input('hello', 'a');
  await input('hello', 'b');
  assert.notEqual((await input('hello', 'a')).eventId, first.eventId);
});

test('as many inputs wait as may, and the next is told when to come again', async () => {
  const { input, program1, registry, address } = await scene({ workerInputs: 2 });
  for (const content of ['runs', 'waits', 'waits too']) await input(content);
  const { code, details } = await refusal(() => input('too many'));
  assert.deepEqual([code, details['capacity']], ['worker_busy', 2]);
  assert.ok(Number(details['retryAfterMs']) > 0);
  assert.deepEqual((await registry.worker(address)).inputs, {
    pending: 2,
    capacity: 2,
    kinds: ['user', 'system'],
    running: program1.current?.input.eventId,
  });
  program1.current?.end('done');
  await settled();
  await input('now there is room');
});

test('a bound of one is told as one', async () => {
  const { input, registry } = await scene({ workerInputs: 1, runtimeCalls: 1, workers: 1 });
  await input('runs');
  await input('waits');
  assert.match(
    (await refusal(() => input('too many'))).message,
    /^1 input waits for this worker, which is the limit\./,
  );
  assert.match(
    (await refusal(() => registry.create('backend-internal', { intent: 'one more' }))).message,
    /^The runtime has 1 worker, /,
  );
});

test("an input beyond its bound is refused by the bound's name and leaves no trace", async () => {
  const { input, items } = await scene({ workerInputBytes: 1024 });
  const { code, details } = await refusal(() => input('é'.repeat(600)));
  assert.deepEqual(
    [code, details['limit'], (await items()).length],
    ['payload_too_large', 'limits.workerInputBytes', 0],
  );
});

test('cancel ends what runs and nothing else, and a second one has nothing to do', async () => {
  const { input, items, program1, registry, address, state } = await scene();
  await input('one');
  await input('two');
  program1.current?.say('well');
  const [first, second] = [await registry.cancel(address, whatRuns()), await registry.cancel(address, whatRuns())];
  assert.deepEqual([first.changed, second.changed], [true, false]);
  await settled();
  assert.equal(program1.current?.input.content, 'two');
  assert.deepEqual(told(await items()).slice(2), [
    ['worker', 'well', 'partial'],
    ['host', 'The input was cancelled.', 'cancelled'],
  ]);
  await registry.cancel(address, whatRuns());
  await settled();
  assert.equal(await state(), 'cancelled');
  assert.equal((await registry.cancel(address, whatRuns())).changed, false);
});

test('a cancel without a name means what ran when it was read, though the next input runs by the time it is handled', async () => {
  const { input, program1, registry, address } = await scene();
  const one = await input('one');
  await input('two');
  const read = whatRuns();
  assert.deepEqual(await registry.cancel(address, read), {
    ...address,
    state: 'busy',
    changed: true,
    eventId: one.eventId,
  });
  await settled();
  assert.equal(program1.current?.input.content, 'two');
  assert.deepEqual(await registry.cancel(address, read), {
    ...address,
    state: 'busy',
    changed: false,
    eventId: one.eventId,
  });
  await settled();
  assert.equal(program1.current?.input.content, 'two', 'the next input goes on');
});

test('a cancel that names an input ends that one alone, however often it comes', async () => {
  const { input, items, program1, registry, address } = await scene();
  const one = await input('one');
  await input('two');
  assert.deepEqual(await registry.cancel(address, { eventId: one.eventId }), {
    ...address,
    state: 'busy',
    changed: true,
    eventId: one.eventId,
  });
  await settled();
  assert.equal(program1.current?.input.content, 'two');
  for (let again = 0; again < 2; again += 1) {
    assert.deepEqual(await registry.cancel(address, { eventId: one.eventId }), {
      ...address,
      state: 'busy',
      changed: false,
      eventId: one.eventId,
    });
  }
  await settled();
  assert.equal(program1.current?.input.content, 'two', 'the next input goes on');
  assert.deepEqual(
    (await items()).filter(({ status }) => status === 'cancelled').map(({ eventId }) => eventId),
    [one.eventId],
  );
});

test('an input that waits can be cancelled: it never runs, and those before and behind it do', async () => {
  const { input, items, program1, registry, address, state } = await scene();
  const [one, two, three] = [await input('one'), await input('two'), await input('three')];
  assert.equal((await registry.cancel(address, { eventId: two.eventId })).changed, true);
  assert.equal((await registry.cancel(address, { eventId: two.eventId })).changed, false);
  assert.deepEqual((await registry.worker(address)).inputs, {
    pending: 1,
    capacity: 16,
    kinds: ['user', 'system'],
    running: one.eventId,
  });
  assert.deepEqual(told(await items()).slice(3), [['host', 'The input was cancelled before it began.', 'cancelled']]);
  program1.current?.end('done');
  await settled();
  assert.equal(program1.current?.input.eventId, three.eventId);
  program1.current?.end('done');
  await settled();
  assert.deepEqual(
    [program1.given.map(({ input: { content } }) => content), await state()],
    [['one', 'three'], 'idle'],
  );
});

test('a cancel of an input that the worker never had is refused by its id', async () => {
  const { input, registry, address } = await scene();
  await input('one');
  const { code, details } = await refusal(() => registry.cancel(address, { eventId: 'nothing' }));
  assert.deepEqual([code, details], ['input_not_found', { workerId: address.workerId, eventId: 'nothing' }]);
});

test('stop is for good: what runs and what waits ends as cancelled, and the next input is refused', async () => {
  const { input, items, program1, registry, address, state } = await scene();
  await input('one');
  await input('two');
  assert.deepEqual(await registry.stop(address), { ...address, state: 'stopped', changed: true });
  assert.equal((await registry.stop(address)).changed, false);
  await settled();
  assert.deepEqual(
    (await items()).map(({ role, status }) => [role, status]),
    [
      ['user', undefined],
      ['user', undefined],
      ['host', 'cancelled'],
      ['host', 'cancelled'],
    ],
  );
  assert.deepEqual([await state(), program1.closed, program1.given.length], ['stopped', true, 1]);
  assert.equal((await refusal(() => input('three'))).code, 'worker_stopped');
});

test('a program is given what was said before, the newest of it, and not what only waits', async () => {
  const { input, program1 } = await scene({ workerHistory: 3 });
  await input('one');
  program1.current?.say('answer to one');
  await input('two');
  await input('three');
  program1.current?.end('done');
  await settled();
  assert.deepEqual(program1.current?.input.history, [
    { role: 'user', content: 'one' },
    { role: 'worker', content: 'answer to one' },
  ]);
  program1.current?.end('cell_crashed');
  await settled();
  assert.deepEqual(
    program1.current?.input.history.map(({ content }) => content),
    ['one', 'answer to one', 'two'],
  );
});

test('what a worker says beyond its bound is cut in whole characters, marked, and not gone on with', async () => {
  const { input, items, program1, registry, address } = await scene({ workerSayBytes: 10 });
  await input('hello');
  program1.current?.say('12345678');
  program1.current?.say('ééé');
  program1.current?.say('x');
  program1.current?.end('done');
  await settled();
  const [, said] = await items();
  assert.deepEqual([said?.content, said?.truncated, said?.status], ['12345678é', true, 'done']);
  await registry.input(address, { kind: 'user', content: 'again' });
  await settled();
  program1.current?.say('12345678é'.slice(0, 8));
  program1.current?.say('€');
  program1.current?.say('x');
  program1.current?.end('done');
  await settled();
  assert.equal((await items()).at(-1)?.content, '12345678', 'no character in halves, and nothing after a gap');
});

test("each state can be come to, is shown, and is counted in the runtime's summary, a cancelled one as idle", async () => {
  const { registry, create, program } = runtimeLab();
  const ends = { idle: 'done', failed: 'cell_crashed' } as const;
  const made: [state: string, workerId: string][] = [];
  for (const state of ['idle', 'failed', 'cancelled', 'busy', 'stopped'] as const) {
    const { workerId } = await create();
    const address = { runtimeId: 'backend-internal', workerId };
    await registry.input(address, { kind: 'user', content: state });
    await settled();
    if (state === 'stopped') await registry.stop(address);
    else if (state === 'cancelled') await registry.cancel(address, whatRuns());
    else if (state !== 'busy') program(workerId).current?.end(ends[state]);
    made.push([state, workerId]);
  }
  await settled();
  assert.deepEqual(
    (await registry.workers({ limit: 10 })).workers.map(({ state, workerId }) => [state, workerId]),
    made,
  );
  for (const [state, workerId] of made)
    assert.equal((await registry.worker({ runtimeId: 'backend-internal', workerId })).state, state);
  assert.deepEqual((await registry.list())[0]?.workers, { total: 5, idle: 2, busy: 1, stopped: 1, failed: 1 });
});

test('a transcript that had to forget says from where it is kept, and its pages join', async () => {
  const { input, program1, registry, address } = await scene({ transcriptItems: 6 });
  program1.onInput = ({ end }) => end('done');
  for (let count = 1; count <= 10; count += 1) await input(String(count));
  const first = await registry.transcript(address, 0, 4);
  assert.deepEqual(
    [first.items.map(({ sequence }) => sequence), first.firstSequence, first.totalItems, first.nextStart],
    [[15, 16, 17, 18], 15, 20, 19],
  );
  const second = await registry.transcript(address, first.nextStart, 4);
  assert.deepEqual([second.items.map(({ sequence }) => sequence), second.nextStart], [[19, 20], 21]);
  assert.deepEqual((await registry.transcript(address, second.nextStart, 4)).items, []);
  assert.equal((await registry.transcript(address, 1_000_000, 4)).nextStart, 21);
});
