// What a tool reports with ctx.progress reaches its caller, in order, at a bounded rate, and never after the answer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CallProgress } from '../../protocol/cell/tool-messages.ts';
import type { ProgressNotification } from '../../protocol/operations/tool.ts';
import { progressLine } from '../../daemon/cli/views/progress-bar.ts';
import { startTestDaemon } from '../labs/test-daemon.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { isolations, withTools } from '../labs/tool-lab.ts';
import { writePlugin } from '../labs/written-plugin.ts';

for (const isolation of isolations) {
  test(`a ${isolation} tool's progress comes in its order and before the answer`, async () => {
    await withTools('progress', { isolation }, async ({ tools }) => {
      const heard: CallProgress[] = [];
      const output = await new Promise<string>((resolve, reject) => {
        tools.call(
          { tool: 'count', input: { to: 5 }, signal: new AbortController().signal },
          {
            succeeded: ({ outputJson }) => resolve(outputJson),
            failed: reject,
            progressed: (progress) => void heard.push(progress),
          },
        );
      });
      assert.equal(output, '5');
      assert.deepEqual(
        heard,
        [1, 2, 3, 4, 5].map((done) => ({ done, total: 5, message: `item ${String(done)}` })),
      );
    });
  });

  test(`a ${isolation} tool that floods its caller with progress is heard at a bounded rate, the last report included`, async () => {
    await withTools('progress', { isolation }, async ({ tools }) => {
      const heard: CallProgress[] = [];
      const beganMs = performance.now();
      await new Promise<void>((resolve, reject) => {
        tools.call(
          { tool: 'flood', input: { reports: 100_000 }, signal: new AbortController().signal },
          { succeeded: () => resolve(), failed: reject, progressed: (progress) => void heard.push(progress) },
        );
      });
      const tookMs = performance.now() - beganMs;
      assert.ok(heard.length <= 12 + tookMs / 50, `${String(heard.length)} reports in ${String(tookMs)} ms`);
      assert.equal(heard.at(-1)?.done, 100_000);
    });
  });
}

test('progress that is no number is the mistake of the tool, and a long message is cut', async () => {
  await withTools('progress', {}, async ({ tools, refusal }) => {
    assert.match((await refusal('wrong')).message, /done must be a number that is 0 or more/);
    const heard: CallProgress[] = [];
    await new Promise<void>((resolve, reject) => {
      tools.call(
        { tool: 'long', input: null, signal: new AbortController().signal },
        { succeeded: () => resolve(), failed: reject, progressed: (progress) => void heard.push(progress) },
      );
    });
    assert.equal(heard[0]?.message?.length, 500);
  });
});

test('over the socket, progress comes as notifications that name the call, and secrets are not in them', async (t) => {
  const folder = writePlugin(await temporaryFolder(t), {
    manifest: { env: ['SECRET_WORD'], tools: [{ name: 'count' }] },
    files: {
      'index.js': `export const tools = { count(_, ctx) { ctx.progress(1, 2, 'with ' + process.env.SECRET_WORD); return 'done'; } };`,
    },
  });
  const daemon = await startTestDaemon(t, { env: { SECRET_WORD: 'correct-horse-battery' } });
  const client = await daemon.connect();
  await client.call('plugin.load', { path: folder });
  const heard: ProgressNotification[] = [];
  client.onProgress((progress) => void heard.push(progress));
  const call = { plugin: 'test.written', tool: 'count' };
  await client.call('tool.call', { ...call, callId: 'one', progress: true });
  assert.equal(heard.length, 1);
  assert.deepEqual({ ...heard[0], message: '' }, { callId: 'one', done: 1, total: 2, message: '' });
  assert.doesNotMatch(heard[0]?.message ?? '', /horse/);
  await client.call('tool.call', { ...call, callId: 'two' });
  assert.equal(heard.length, 1, 'nobody who did not ask is told');
  await assert.rejects(client.call('tool.call', { ...call, progress: true }), /callId is needed/);
});

test('the bar shows the share, the amounts and the message', () => {
  const text = (progress: Omit<ProgressNotification, 'callId'>): string =>
    progressLine(progress)
      .map((piece) => (typeof piece === 'string' ? piece : piece.text))
      .join('');
  assert.match(text({ done: 1, total: 4, message: 'reading' }), /^█{6}░{18} 25% {2}1\/4 {2}reading$/);
  assert.equal(text({ done: 7 }), '… 7');
});
