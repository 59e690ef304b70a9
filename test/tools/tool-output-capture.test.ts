// What tools write becomes lines of their plugin's log within a budget, and none of it reaches the daemon's own output.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { LogDroppedMessage, LogMessage } from '../../protocol/cell/messages.ts';
import { isolations, withTools } from '../labs/tool-lab.ts';
import { until } from '../labs/until.ts';

const lines = (logs: readonly (LogMessage | LogDroppedMessage)[]): LogMessage[] =>
  logs.filter((message) => message.type === 'log');

for (const isolation of isolations) {
  test(`console, stdout, stderr and ctx.log of a ${isolation} tool are lines of the log`, async () => {
    await withTools('hostile', { isolation }, async ({ call, logs }) => {
      await call('output');
      await call('logs', null, { callId: 'call-7' });
      await until('all lines are there', () => lines(logs).length >= 4);
      const told = lines(logs).map(({ stream, level, text, fields, correlationId }) => ({
        stream,
        level,
        text,
        fields,
        correlationId,
      }));
      for (const expected of [
        { stream: 'console', level: 'info', text: 'from console.log', fields: undefined, correlationId: undefined },
        { stream: 'stdout', level: 'info', text: 'from process.stdout', fields: undefined, correlationId: undefined },
        { stream: 'stderr', level: 'error', text: 'from process.stderr', fields: undefined, correlationId: undefined },
        { stream: 'log', level: 'info', text: 'from ctx.log', fields: '{"answer":42}', correlationId: 'call-7' },
      ]) {
        assert.ok(
          told.some((line) => JSON.stringify(line) === JSON.stringify(expected)),
          expected.text,
        );
      }
    });
  });

  test(`a flood of a ${isolation} tool is cut at its budget, and what was dropped is counted`, async () => {
    await withTools('hostile', { isolation, logBytesPerSecond: 4096 }, async ({ call, logs }) => {
      assert.equal(await call('flood', { lines: 20_000 }), 'flooded');
      const kept = (): number => lines(logs).length;
      const dropped = (): number =>
        logs.reduce((sum, message) => sum + (message.type === 'logDropped' ? message.lines : 0), 0);
      await until('every line is told of, as a line or as dropped', () => kept() + dropped() >= 20_000);
      assert.equal(kept() + dropped(), 20_000);
      assert.ok(dropped() > kept(), `${String(kept())} lines were kept`);
      assert.equal(await call('ok'), 'fine');
    });
  });
}

test('nothing a tool writes reaches the output of the process that hosts it', async () => {
  const program = fileURLToPath(new URL('../fixtures/tools/host-output.ts', import.meta.url));
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--import', 'tsx', program], {
    timeout: 60_000,
  });
  assert.equal(stdout, 'the host is done\n');
  assert.equal(stderr, '');
});
