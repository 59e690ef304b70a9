// A worker's program in a real cell, whichever kind: what it says, what its past is, and how each input ends.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { ErrorCode } from '../../protocol/errors.ts';
import type { Isolation } from '../../protocol/manifest.ts';
import type { HistoryItem, ProgramEnd } from '../../daemon/runtimes/programs/program.ts';
import { type LabSetting, type LabWorker, profileLab } from './profile-lab.ts';
import { until } from './until.ts';

export function failed(end: ProgramEnd, code: ErrorCode): Extract<ProgramEnd, { kind: 'failed' }>['error'] {
  assert.equal(end.kind, 'failed', JSON.stringify(end));
  assert.equal(end.error.code, code, end.error.message);
  return end.error;
}

/** For an input that has to end cooperatively on a busy machine. */
const patient = { workerCancelMs: 30_000 };
const short = { profiles: { lab: { timeoutMs: 400 } } };

export function profileCases(isolation: Isolation): void {
  async function worker(t: TestContext, { override = {}, ...setting }: LabSetting = {}): Promise<LabWorker> {
    return (await profileLab(t, { ...setting, override: { isolation, ...override } })).worker();
  }

  async function worksOn({ run }: LabWorker): Promise<void> {
    assert.deepEqual((await run({ do: 'echo', text: 'still here' })).text, 'still here');
  }

  test('what is said arrives whole and in order, before the end of its input', async (t) => {
    const { run } = await worker(t);
    const pieces = ['one ', '', 'two 😀', '\ud83d', '\ude00', ' three'];
    const end = await run({ do: 'pieces', pieces });
    assert.equal(end.kind, 'done');
    assert.equal(end.text, pieces.join(''));
    const counted = await run({ do: 'countSlowly', to: 500 });
    assert.equal(counted.text, Array.from({ length: 500 }, (_, n) => `${String(n + 1)} `).join(''));
  });

  test('a piece arrives while its input still runs, also from a program that never lets its event loop turn', async (t) => {
    const { begin } = await worker(t);
    for (const order of [
      { do: 'pieces', pieces: ['a', 'b', 'c'], ms: 300 },
      { do: 'busySays', pieces: ['a', 'b', 'c'], ms: 300 },
    ]) {
      const running = begin(order);
      await running.said('a');
      assert.ok(!running.text().includes('c'), 'the first piece came with the last');
      assert.equal((await running.ended).kind, 'done');
      assert.equal(running.text(), 'abc');
    }
  });

  test('a program finds who it is, its input and a past that it may do with as it likes', async (t) => {
    const { run } = await worker(t, { override: { config: { tone: 'dry' } } });
    const history: HistoryItem[] = [
      { role: 'user', content: 'first' },
      { role: 'worker', content: 'answer' },
      { role: 'system', content: 'note' },
    ];
    const {
      plugin,
      config,
      worker: self,
      incarnation,
      aborted,
      history: past,
      input,
    } = JSON.parse((await run({ do: 'context' }, history)).text) as Record<string, unknown>;
    assert.deepEqual(plugin, { id: 'test.profiles', name: 'Profiles', version: '1.0.0' });
    assert.deepEqual(config, { tone: 'dry' });
    assert.equal((self as { runtimeId: string }).runtimeId, 'test-runtime');
    assert.equal(incarnation, 1);
    assert.equal(aborted, false);
    assert.deepEqual(past, history);
    assert.equal((input as { kind: string }).kind, 'user');
    assert.deepEqual(JSON.parse((await run({ do: 'spoilHistory' }, history)).text), history);
  });

  test('saying what is no text is refused by name of what it was, and fails the input where nobody catches it', async (t) => {
    const lab = await worker(t);
    for (const what of ['undefined', 'symbol', 'object']) {
      assert.match(
        failed(await lab.run({ do: 'wrong', what }), 'dispatch_failed').message,
        new RegExp(`ctx\\.say takes a text, not .*${what}`),
      );
    }
    assert.match(
      (await lab.run({ do: 'wrongCaught' })).text,
      /^TypeError: ctx\.say takes a text, not a value of type number$/,
    );
    assert.equal(lab.program.view().incarnation, 1);
  });

  for (const what of ['null', 'undefined', 'text', 'an error']) {
    test(`a program that throws (${what}) fails its input alone, and its cell goes on`, async (t) => {
      const lab = await worker(t);
      failed(await lab.run({ do: 'throw', what }), 'dispatch_failed');
      await worksOn(lab);
      assert.equal(lab.program.view().incarnation, 1);
    });
  }

  test("what a program returns is nobody's business", async (t) => {
    const { run } = await worker(t);
    assert.deepEqual((await run({ do: 'returns' })).kind, 'done');
  });

  for (const deed of ['loop', 'hang'] as const) {
    test(`a program past its deadline (${deed}) fails its input with the place it was in, and the next input runs in a fresh cell`, async (t) => {
      const lab = await worker(t, { override: short });
      const end = await lab.run({ do: deed });
      const error = failed(end, 'dispatch_timeout');
      assert.match(
        error.message,
        deed === 'loop' ? /within 400 ms: blocked in index\.js:\d+:\d+, loop/ : /within 400 ms: waiting for something/,
      );
      assert.equal((error.details['where'] as { kind: string }).kind, deed === 'loop' ? 'javascript' : 'waiting');
      assert.equal(end.text, deed === 'loop' ? 'looping' : 'hanging');
      await worksOn(lab);
      assert.equal(lab.program.view().incarnation, 2);
    });
  }

  test('each input has its deadline from its own start', async (t) => {
    const lab = await worker(t, { override: { profiles: { lab: { timeoutMs: 1500 } } } });
    for (let n = 0; n < 3; n += 1)
      assert.equal((await lab.run({ do: 'pieces', pieces: ['x', 'y'], ms: 400 })).kind, 'done');
    assert.equal(lab.program.view().incarnation, 1);
  });

  for (const deed of ['crash', 'exit'] as const) {
    test(`a cell that ends under its input (${deed}) fails it as cell_crashed, after all that was said`, async (t) => {
      const lab = await worker(t);
      const end = await lab.run({ do: deed });
      assert.match(
        failed(end, 'cell_crashed').message,
        deed === 'crash'
          ? /during the input: uncaught on command/
          : /during the input: the plugin called process\.exit\(3\)/,
      );
      assert.equal(end.text, Array.from({ length: 50 }, (_, n) => `${String(n)} `).join(''));
      await worksOn(lab);
      assert.equal(lab.program.view().incarnation, 2);
    });
  }

  test('a program over its heap fails its input and nothing else', async (t) => {
    const lab = await worker(t, { override: { limits: { heapMb: 48 } } });
    failed(await lab.run({ do: 'heap' }), 'cell_crashed');
    await worksOn(lab);
  });

  test('cancel ends the running input by its signal alone, and the cell goes on', async (t) => {
    const lab = await worker(t, { limits: patient });
    for (const deed of ['obey', 'obeyAndThrow']) {
      const running = lab.begin({ do: deed });
      await running.said('waiting');
      lab.program.cancel();
      lab.program.cancel();
      assert.deepEqual(await running.ended, { kind: 'cancelled' });
      assert.equal(running.text(), deed === 'obey' ? 'waiting AbortError' : 'waiting');
    }
    assert.equal((JSON.parse((await lab.run({ do: 'context' })).text) as { aborted: boolean }).aborted, false);
    assert.equal(lab.program.view().incarnation, 1);
  });

  test('a program has time of its own to react to a cancel and keeps its cell, however little a cell has before its end', async (t) => {
    const lab = await worker(t, { limits: { ...patient, abortGraceMs: 0 } });
    const running = lab.begin({ do: 'obeySlowly', ms: 500 });
    await running.said('waiting');
    lab.program.cancel();
    assert.deepEqual(await running.ended, { kind: 'cancelled' });
    assert.equal(running.text(), 'waiting cleaned up');
    await worksOn(lab);
    assert.equal(lab.program.view().incarnation, 1);
  });

  for (const deed of ['loop', 'hang'] as const) {
    test(`cancel ends a program that ignores it (${deed}), and the next input runs in a fresh cell`, async (t) => {
      const lab = await worker(t, { limits: { workerCancelMs: 50 } });
      const running = lab.begin({ do: deed });
      await running.said('ing');
      lab.program.cancel();
      assert.deepEqual(await running.ended, { kind: 'cancelled' });
      await worksOn(lab);
      assert.equal(lab.program.view().incarnation, 2);
    });
  }

  test('cancel touches nothing where nothing runs', async (t) => {
    const lab = await worker(t);
    lab.program.cancel();
    await worksOn(lab);
    lab.program.cancel();
    await worksOn(lab);
    assert.equal(lab.program.view().incarnation, 1);
  });

  test('what is said after the end of its input is dropped and counted, and never part of the next answer', async (t) => {
    const lab = await worker(t);
    assert.equal((await lab.run({ do: 'sayLater', ms: 50, times: 3 })).text, 'in time');
    const next = lab.begin({ do: 'pieces', pieces: ['a', 'b', 'c', 'd'], ms: 100 });
    await next.ended;
    assert.equal(next.text(), 'abcd');
    await until('late pieces are counted', () => lab.program.view().droppedPieces === 3);
  });

  test('an error that comes after the end ends the cell, not the next input', async (t) => {
    const lab = await worker(t);
    await lab.run({ do: 'crashLater', ms: 0 });
    await until('the cell is gone', () => !lab.program.view().live);
    await worksOn(lab);
    assert.equal(lab.program.view().incarnation, 2);
  });

  test('what holds the thread between two inputs delays the next one and does not fail it', async (t) => {
    const lab = await worker(t, { limits: { stalledMs: 500 } });
    await lab.run({ do: 'spinLater' });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await worksOn(lab);
    assert.equal(lab.program.view().incarnation, 2);
  });

  test('a flood of tiny pieces arrives whole in a bounded number of messages', async (t) => {
    const { run } = await worker(t, { limits: { workerSayPieces: 100, workerSayBytes: 1024 * 1024 } });
    const expected = Array.from({ length: 20_000 }, (_, n) => `${String(n + 1)} `).join('');
    for (const deed of ['count', 'countSlowly']) {
      const end = await run({ do: deed, to: 20_000 });
      assert.ok(end.text === expected, `${String(end.text.length)} characters of ${String(expected.length)}`);
      assert.ok(end.pieces.length <= 100 + 14 + 2, `${String(end.pieces.length)} pieces`);
    }
  });

  test('saying more than may be said fails the input with the bound, and keeps what came before', async (t) => {
    const lab = await worker(t, { limits: { workerSayBytes: 4096 } });
    const end = await lab.run({ do: 'much', bytes: 5000 });
    assert.match(
      failed(end, 'dispatch_failed').message,
      /at most 4096 bytes may be said to one input \(limits\.workerSayBytes\)/,
    );
    assert.equal(end.text, 'before');
    await worksOn(lab);
  });

  test('what an input that is done writes to ctx.state is kept, and goes to the next life of its cell', async (t) => {
    const lab = await worker(t);
    assert.equal((await lab.run({ do: 'keep', set: { count: 1, gone: [] } })).text, '{"count":1,"gone":[]}');
    assert.deepEqual(lab.state(), { count: 1, gone: [] });
    const second = await lab.run({ do: 'keep', set: { count: 2, '/%ü': { deep: null } }, remove: ['gone'] });
    assert.equal(second.text, '{"/%ü":{"deep":null},"count":2}');
    failed(await lab.run({ do: 'exit' }), 'cell_crashed');
    assert.equal((await lab.run({ do: 'keep' })).text, '{"/%ü":{"deep":null},"count":2}');
    assert.equal(lab.program.view().incarnation, 2);
    assert.deepEqual(lab.state(), { '/%ü': { deep: null }, count: 2 });
  });

  test('what an input says last comes before its end, also where news of the input before is still on its way', async (t) => {
    const lab = await worker(t);
    for (let count = 0; count < 300; count += 1) {
      await lab.run({ do: 'keep', set: { count } });
      assert.deepEqual((await lab.run({ do: 'keep' })).pieces, [`{"count":${String(count)}}`]);
    }
    assert.equal(lab.program.view().droppedPieces, 0);
  });

  test('what an input that fails or is cancelled writes to ctx.state is forgotten, also in a cell that goes on', async (t) => {
    const lab = await worker(t, { limits: patient });
    await lab.run({ do: 'keep', set: { count: 1 } });
    failed(await lab.run({ do: 'keep', set: { count: 2 }, fail: 'no' }), 'dispatch_failed');
    assert.equal((await lab.run({ do: 'keep' })).text, '{"count":1}');
    for (const then of ['obey', 'obeyAndThrow']) {
      const running = lab.begin({ do: 'keep', set: { count: 3, more: true }, then });
      await running.said('waiting');
      lab.program.cancel();
      assert.deepEqual(await running.ended, { kind: 'cancelled' });
      assert.equal((await lab.run({ do: 'keep' })).text, '{"count":1}', then);
    }
    assert.equal(lab.program.view().incarnation, 1);
    assert.deepEqual(lab.state(), { count: 1 });
  });

  test('ctx.state is bounded, and read-only once its input has ended', async (t) => {
    const lab = await worker(t, { limits: { stateBytes: 2048 } });
    assert.match(
      failed(await lab.run({ do: 'keep', set: { much: 'x'.repeat(3000) } }), 'dispatch_failed').message,
      /limits\.stateBytes allows 2048/,
    );
    await lab.run({ do: 'keepTooLate' });
    assert.equal((await lab.run({ do: 'keep' })).text, '{}');
    assert.deepEqual(lab.state(), {});
  });

  test('an idle cell is ended, and comes back with the next input', async (t) => {
    const lab = await worker(t, { limits: { workerIdleMs: 100 } });
    await worksOn(lab);
    await until('the idle cell is ended', () => !lab.program.view().live);
    await worksOn(lab);
    assert.equal(lab.program.view().incarnation, 2);
  });

  test('close ends what runs as cancelled, at once and for good', async (t) => {
    const lab = await worker(t);
    const running = lab.begin({ do: 'loop' });
    await running.said('looping');
    await lab.program.close(10_000);
    assert.deepEqual(await running.ended, { kind: 'cancelled' });
    assert.equal(lab.program.view().live, false);
    failed(await lab.run({ do: 'echo', text: 'x' }), 'worker_stopped');
    await lab.program.close(10_000);
  });

  test('a program that patches what its cell is made of is still heard', async (t) => {
    const lab = await worker(t);
    assert.equal((await lab.run({ do: 'patch' })).text, 'patched');
    assert.equal((await lab.run({ do: 'countSlowly', to: 0 })).kind, 'done');
  });

  test('a value of its environment is taken out of what it says and of why it failed', async (t) => {
    const lab = await worker(t, { env: { LAB_SECRET: 'hush-hush-1234567' } });
    const end = await lab.run({ do: 'secret' });
    assert.equal(end.text, 'the secret is [redacted]');
    assert.match(failed(end, 'dispatch_failed').message, /leaking \[redacted\]/);
    assert.ok(!JSON.stringify(failed(end, 'dispatch_failed').toWire()).includes('hush-hush'));
  });
}
