// Quick calls of a tool go to a thread several at a time, and each is still answered, blamed and taken back for itself.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { HostError } from '../../protocol/errors.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { type ToolLab, type ToolSetting, withTools, writtenIn } from '../labs/tool-lab.ts';
import { until } from '../labs/until.ts';

/** So many that the pool has learnt how quick they are. */
const enoughToLearn = 120;

interface Step {
  readonly timeoutMs?: number;
  readonly way?: string;
  readonly ms?: number;
  readonly text?: string;
  readonly times?: number;
}

interface Batches extends ToolLab {
  /** What became of each, when all are called in one turn. */
  together(steps: readonly Step[], signals?: readonly (AbortSignal | undefined)[]): Promise<string>[];
  /** How often each of them began. */
  begun(): Promise<number[]>;
}

async function withBatches(
  context: TestContext,
  setting: ToolSetting,
  use: (lab: Batches) => Promise<void>,
): Promise<void> {
  const path = join(await temporaryFolder(context), 'begun');
  let count = 0;
  await withTools('batched', setting, async (lab) => {
    for (let at = 0; at < enoughToLearn; at += 1) await lab.call('go', {});
    await use({
      ...lab,
      together: (steps, signals = []) => {
        count = steps.length;
        return steps.map(async ({ timeoutMs = 30_000, ...step }, id) => {
          const signal = signals[id];
          try {
            // Not all have a name.
            const name = id % 3 === 1 ? { callId: `call ${String(id)}` } : {};
            const output = (await lab.call(
              'go',
              { id, path, ...step },
              { timeoutMs, ...name, ...(signal === undefined ? {} : { signal }) },
            )) as { id: number; callId?: string; text?: string };
            assert.equal(output.id, id, 'the answer of another call');
            assert.equal(output.callId, name.callId);
            assert.equal(output.text, step.text?.repeat(step.times ?? 1));
            return 'answered';
          } catch (thrown) {
            if (thrown instanceof HostError) return thrown.code;
            throw thrown;
          }
        });
      },
      begun: async () => {
        const lines = (await writtenIn(path)).split('\n');
        return Array.from({ length: count }, (_, id) => lines.filter((line) => line === String(id)).length);
      },
    });
  });
}

const quick = (count: number): Step[] => Array.from({ length: count }, () => ({}));
const answered = (count: number): string[] => Array.from({ length: count }, () => 'answered');
const once = (count: number): number[] => Array.from({ length: count }, () => 1);

test('a call that hangs keeps back neither the answers before it nor the calls behind it, and ends nothing but itself', async (context) => {
  await withBatches(context, { limits: { toolThreads: 2 } }, async ({ together, begun }) => {
    const calls = together([...quick(6), { way: 'loops', timeoutMs: 4000 }, ...quick(20)]);
    const beganMs = performance.now();
    const hung = calls[6];
    assert.deepEqual(await Promise.all(calls.filter((call) => call !== hung)), answered(26));
    const tookMs = performance.now() - beganMs;
    assert.ok(tookMs < 3000, `the others waited for ${String(tookMs)} ms`);
    assert.equal(await hung, 'tool_timeout');
    assert.deepEqual(await begun(), once(27));
  });
});

test('where there is one thread, those behind a call that hangs run in the next one', async (context) => {
  await withBatches(context, { limits: { toolThreads: 1 } }, async ({ together, begun, failures }) => {
    const outcomes = await Promise.all(together([...quick(3), { way: 'loops', timeoutMs: 700 }, ...quick(5)]));
    assert.deepEqual(outcomes, [...answered(3), 'tool_timeout', ...answered(5)]);
    assert.deepEqual(await begun(), once(9));
    assert.deepEqual(
      failures.map(({ error: { code } }) => code),
      ['tool_timeout'],
    );
  });
});

test('a call that ends the thread is the only one that fails: those before it are answered, those behind it run elsewhere', async (context) => {
  await withBatches(context, { limits: { toolThreads: 1 } }, async ({ together, begun }) => {
    const outcomes = await Promise.all(together([...quick(5), { way: 'exits' }, ...quick(8)]));
    assert.deepEqual(outcomes, [...answered(5), 'tool_crashed', ...answered(8)]);
    assert.deepEqual(await begun(), once(14));
  });
});

for (const way of ['leavesRejection', 'leavesThrow']) {
  test(`a call that ${way === 'leavesThrow' ? 'leaves a throw' : 'leaves a rejection'} behind is answered, and its fault is not put on the next one`, async (context) => {
    await withBatches(context, { limits: { toolThreads: 1 } }, async ({ together, begun, failures }) => {
      const outcomes = await Promise.all(together([...quick(4), { way }, ...quick(8)]));
      assert.deepEqual(outcomes, answered(13));
      assert.deepEqual(await begun(), once(13));
      assert.deepEqual(
        failures.map(({ error: { code, message } }) => [code, /after its call had been answered/.test(message)]),
        [['tool_crashed', true]],
      );
    });
  });
}

test('failures, long answers and odd characters come back to the calls they belong to', async (context) => {
  await withBatches(context, { limits: { toolThreads: 1 } }, async ({ together }) => {
    const steps: Step[] = [
      { text: 'é😀\u2028"' },
      { way: 'fails' },
      { text: 'x', times: 200_000 },
      {},
      { text: '日本', times: 3000 },
      { way: 'fails' },
      { text: 'last' },
    ];
    const outcomes = ['answered', 'tool_failed', 'answered', 'answered', 'answered', 'tool_failed', 'answered'];
    for (let round = 0; round < 5; round += 1) assert.deepEqual(await Promise.all(together(steps)), outcomes);
  });
});

test('a call cancelled before its turn in the thread never runs, and disturbs none of its companions', async (context) => {
  await withBatches(context, { limits: { toolThreads: 1 } }, async ({ together, begun, failures }) => {
    const cancelling = new AbortController();
    const calls = together([{ way: 'sleeps', ms: 400 }, ...quick(6)], [undefined, undefined, cancelling.signal]);
    await until('the first one runs', async () => (await begun())[0] === 1);
    cancelling.abort('no longer wanted');
    assert.deepEqual(await Promise.all(calls), ['answered', 'answered', 'tool_cancelled', ...answered(4)]);
    assert.deepEqual(await begun(), [1, 1, 0, 1, 1, 1, 1]);
    assert.deepEqual(failures, []);
  });
});

test('calls that are all cancelled before they begin cost their thread nothing', async (context) => {
  await withBatches(context, { limits: { toolThreads: 1 } }, async ({ call, together, failures }) => {
    const thread = async (): Promise<unknown> => ((await call('go', {})) as { thread: number }).thread;
    const before = await thread();
    for (let round = 0; round < 20; round += 1) {
      const cancelling = new AbortController();
      const calls = together(
        quick(10),
        Array.from({ length: 10 }, () => cancelling.signal),
      );
      // They have just been handed over.
      await Promise.resolve();
      cancelling.abort();
      for (const outcome of await Promise.all(calls)) assert.match(outcome, /^(?:tool_cancelled|answered)$/);
    }
    assert.equal(await thread(), before);
    assert.deepEqual(failures, []);
  });
});

test('a call that is cancelled while it runs takes none of those behind it with it', async (context) => {
  await withBatches(context, { limits: { toolThreads: 1, abortGraceMs: 50 } }, async ({ together, begun }) => {
    const cancelling = new AbortController();
    const calls = together([...quick(2), { way: 'loops' }, ...quick(6)], [undefined, undefined, cancelling.signal]);
    await until('it runs', async () => (await begun())[2] === 1);
    cancelling.abort();
    assert.deepEqual(await Promise.all(calls), [...answered(2), 'tool_cancelled', ...answered(6)]);
    assert.deepEqual(await begun(), once(9));
  });
});

test('whoever hears of an answer may end calls and make new ones at once, and every other is answered as its own', async (context) => {
  await withBatches(context, { limits: { toolThreads: 1 } }, async ({ tools }) => {
    const told = new Map<number, string[]>();
    const signals = Array.from({ length: 60 }, () => new AbortController());
    const begin = (id: number, { signal } = new AbortController()): void => {
      const heard = (what: string): void => {
        told.set(id, [...(told.get(id) ?? []), what]);
        // Those right behind are in the same thread, and may be through with it.
        if (id % 3 === 0) for (const behind of [1, 2]) signals[id + behind]?.abort('no longer wanted');
        if (id < 20) begin(id + 100);
      };
      tools.call(
        { tool: 'go', input: { id }, signal },
        {
          succeeded: ({ outputJson }) => heard(String((JSON.parse(outputJson) as { id: number }).id)),
          failed: ({ code }) => heard(code),
        },
      );
    };
    signals.forEach((controller, id) => begin(id, controller));
    await until('all have been answered', () => told.size === 80 && tools.pending === 0);
    for (const [id, heard] of told) {
      assert.equal(heard.length, 1, String(id));
      assert.ok(
        heard[0] === String(id) || (heard[0] === 'tool_cancelled' && id < 60 && id % 3 !== 0),
        `${String(id)}: ${String(heard[0])}`,
      );
    }
  });
});

test('calls that wait in a thread for their turn count against the bound of those that wait', async (context) => {
  await withBatches(context, { limits: { toolThreads: 1, toolQueue: 10 } }, async ({ together }) => {
    const outcomes = await Promise.all(together([{ way: 'sleeps', ms: 200 }, ...quick(30)]));
    assert.deepEqual(outcomes, [...answered(11), ...Array.from({ length: 20 }, () => 'tool_overloaded')]);
  });
});

test('whatever calls do together, each is answered for itself and none runs twice', async (context) => {
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 12, arbitrary: fc.constant<Step>({}) },
    {
      weight: 2,
      arbitrary: fc.record({
        text: fc.string({ minLength: 1, maxLength: 20 }),
        times: fc.integer({ min: 1, max: 2000 }),
      }),
    },
    { weight: 2, arbitrary: fc.constant<Step>({ way: 'fails' }) },
    { weight: 2, arbitrary: fc.record({ way: fc.constant('sleeps'), ms: fc.integer({ min: 0, max: 8 }) }) },
    {
      weight: 1,
      arbitrary: fc.constantFrom<Step>(
        { way: 'exits' },
        { way: 'leavesThrow' },
        { way: 'leavesRejection' },
        { way: 'loops', timeoutMs: 1500 },
      ),
    },
  );
  const outcomeOf: Readonly<Record<string, string>> = {
    fails: 'tool_failed',
    exits: 'tool_crashed',
    loops: 'tool_timeout',
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 60 }),
      fc.integer({ min: 1, max: 3 }),
      async (steps, toolThreads) => {
        await withBatches(context, { limits: { toolThreads } }, async ({ together, begun, tools }) => {
          const outcomes = together(steps);
          for (const [id, { way = 'quick' }] of steps.entries())
            assert.equal(
              await outcomes[id],
              outcomeOf[way] ?? 'answered',
              `call ${String(id)} of ${JSON.stringify(steps)}`,
            );
          assert.deepEqual(await begun(), once(steps.length));
          assert.equal(tools.pending, 0);
        });
      },
    ),
    { numRuns: 6 },
  );
});
