// What a tool gets and what its caller gets back, in each kind of cell.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerOf, isolations, withTools } from '../labs/tool-lab.ts';

for (const isolation of isolations) {
  test(`a ${isolation} tool answers with what its function returned`, async () => {
    await withTools('plain', { isolation }, async ({ call, tools }) => {
      const input = { text: 'grüße\n"quoted"', list: [1, null, true], nested: { empty: {} } };
      assert.deepEqual(await call('echo', input), input);
      assert.equal(await call('nothing'), null, 'undefined is sent as null');
      const { durationMs } = await answerOf(tools, { tool: 'echo', input: 1, signal: new AbortController().signal });
      assert.ok(durationMs >= 0 && durationMs < 30_000);
      assert.equal(tools.pending, 0);
    });
  });

  test(`a ${isolation} tool's context names plugin, tool and call, and its environment holds only what was given`, async () => {
    await withTools(
      'plain',
      { isolation, env: { FIXTURE_TOKEN: 'secret' }, config: { greeting: 'hi' } },
      async ({ call }) => {
        const where = (await call('where', null, { callId: 'call-1' })) as Record<string, unknown>;
        assert.deepEqual(where['plugin'], { id: 'fixture.plain', name: 'Plain', version: '1.0.0' });
        assert.deepEqual(where['config'], { greeting: 'hi' });
        assert.equal(where['tool'], 'where');
        assert.equal(where['callId'], 'call-1');
        assert.equal(where['aborted'], false);
        assert.deepEqual(where['env'], { FIXTURE_TOKEN: 'secret' });
        assert.deepEqual(where['argv'], []);
        assert.equal((where['pid'] as number) === process.pid, isolation !== 'process');
      },
    );
  });
}

test('a pooled cell keeps its state between calls, a fresh one and a process have none', async () => {
  for (const isolation of isolations) {
    await withTools('plain', { isolation, limits: { toolThreads: 1 } }, async ({ call }) => {
      assert.deepEqual([await call('count'), await call('count')], isolation === 'pooled' ? [1, 2] : [1, 1], isolation);
    });
  }
});

test('a tool in TypeScript runs without a build step', async () => {
  await withTools('typescript', {}, async ({ call }) => {
    assert.equal(await call('greet', { name: 'Ada' }), 'Hello, Ada');
  });
});

test('an unknown tool is refused with the name that was probably meant', async () => {
  await withTools('plain', {}, async ({ refusal, tools }) => {
    const mistyped = await refusal('ecko');
    assert.equal(mistyped.code, 'tool_not_found');
    assert.equal(mistyped.details['suggestion'], 'echo');
    assert.equal((await refusal('somethingElseEntirely')).details['suggestion'], undefined);
    assert.equal(tools.threads, 0, 'no cell was made for that');
  });
});

test('tools keep their `this`, and what every object inherits is no tool', async () => {
  await withTools('odd-exports', {}, async ({ call, refusal }) => {
    assert.equal(await call('method'), 42);
    for (const [tool, said] of [
      ['missing', 'is missing'],
      ['constructor', 'is missing'],
      ['__proto__', 'is missing'],
      ['text', 'is of type string'],
      ['nothing', 'is null'],
    ] as const) {
      const error = await refusal(tool);
      assert.equal(error.code, 'tool_failed', `${tool}: ${error.message}`);
      assert.match(error.message, new RegExp(`tools\\.${tool} ${said}`), tool);
    }
    assert.equal(await call('method'), 42);
  });
});

test('a plugin that exports no tools is told so', async () => {
  await withTools('no-tools', {}, async ({ refusal }) => {
    const error = await refusal('ok');
    assert.equal(error.code, 'tool_failed');
    assert.match(error.message, /exports no `tools` object/);
  });
});
